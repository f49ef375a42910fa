// The steps that the live channel tells, newest first. A step that is unfolded stays so, and stays where it is, while
// more arrive and while it grows itself.
import { h } from "./dom.js";
import { ago, clock } from "./words.js";

const MARKS = new Map(Object.entries({ in_progress: "◐", pending: "○", completed: "✓", failed: "✗" }));
const KINDS = { thought: "thought", pull_request: "pull request", status: "status" };

export function stepList(store, { most, label }) {
  const empty = h("p", { class: "dv-quiet" }, "No steps yet.");
  const list = h("ol", { class: "dv-steps", tabindex: "0", role: "list", "aria-label": label });
  const el = h("div", { class: "dv-steps-place" }, empty, list);
  const drawn = new Map();
  const update = () => {
    const items = [...store.steps.values()].slice(-most).reverse();
    const held = [...drawn.values()].find((entry) => entry.isOpen());
    const before = held?.el.offsetTop;
    const wanted = new Set(items.map(({ id }) => id));
    for (const [id, entry] of drawn) {
      if (wanted.has(id) || entry.isOpen()) continue;
      entry.el.remove();
      drawn.delete(id);
    }
    items.forEach((item, index) => {
      if (!drawn.has(item.id)) drawn.set(item.id, stepEntry());
      const entry = drawn.get(item.id);
      entry.update(item);
      if (list.children[index] !== entry.el) list.insertBefore(entry.el, list.children[index] ?? null);
    });
    if (held) list.scrollTop += held.el.offsetTop - before;
    empty.hidden = items.length > 0;
    list.hidden = !items.length;
  };
  const watcher = () => { if (el.checkVisibility()) update(); };
  store.watchers.add(watcher);
  return { el, update, close: () => store.watchers.delete(watcher) };
}

function stepEntry() {
  const mark = h("span", { class: "dv-icon", "aria-hidden": "true" });
  const title = h("span", { class: "dv-cut dv-step-title" });
  const when = h("time", { class: "dv-quiet dv-when" });
  const [given, text] = [h("pre", { class: "dv-pre" }), h("pre", { class: "dv-pre" })];
  const summary = h("summary", {}, mark, title, when);
  const details = h("details", {}, summary, given, text);
  const el = h("li", {}, details);
  let known = null;
  summary.addEventListener("click", (event) => { if (!known?.input && !known?.text) event.preventDefault(); });
  const update = (item) => {
    set(when, item.at ? ago(item.at, Date.now() / 1000) : "");
    if (known === item) return;
    known = item;
    const has = Boolean(item.input || item.text);
    el.className = `dv-step-${item.kind}${has ? "" : " dv-bare"}`;
    set(mark, item.kind === "tool" ? MARKS.get(item.status) ?? "·" : "");
    title.replaceChildren(...titleOf(item));
    if (item.at) when.title = clock(item.at);
    set(given, item.input);
    set(text, item.text);
    given.hidden = !item.input;
    text.hidden = !item.text;
  };
  return { el, update, isOpen: () => details.open };
}

function titleOf({ kind, title, status, input, text }) {
  if (kind === "plan") return [title];
  if (kind === "message") return [h("span", { class: "dv-quiet" }, `${title}: `), text.slice(0, 200)];
  if (kind !== "tool") return [h("span", { class: "dv-quiet" }, `${KINDS[kind] ?? kind}: `), title];
  const state = status && status !== "completed" ? h("span", { class: "dv-hidden" }, ` (${status.replace("_", " ")})`) : null;
  const line = input && !input.includes("\n") && input.length < 120 && input !== title && !input.startsWith("{") ? h("code", {}, input) : null;
  return [title, line ? " " : "", line, state].filter(Boolean);
}

function set(el, words) {
  if (el.textContent !== words) el.textContent = words;
}
