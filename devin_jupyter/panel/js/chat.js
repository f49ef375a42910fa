// What arrives beside the state: conversation, steps, files. The store outlives views, takes chunks in any order and says
// what it misses; views only append.
import { h, isAtEnd, prose } from "./dom.js";
import { clock } from "./words.js";

const STEPS_KEPT = 1000;

export function chatStore() {
  const store = { items: [], steps: new Map(), approval: "", files: null, watchers: new Set(), take };
  const takers = {
    messages, steps,
    approval: ({ text }) => { store.approval = text; return true; },
    files: ({ items }) => { store.files = items; return true; },
  };
  function take(content) {
    if (!takers[content?.kind]?.(content)) return;
    for (const watcher of store.watchers) watcher();
  }
  function messages(content) {
    const from = content.from ?? 0;
    if (from > store.items.length) return false;
    store.items.splice(from, content.items.length, ...content.items);
    return true;
  }
  function steps({ items, fresh }) {
    if (fresh) store.steps.clear();
    for (const item of items) store.steps.set(item.id, item);
    for (const id of [...store.steps.keys()].slice(0, Math.max(0, store.steps.size - STEPS_KEPT))) store.steps.delete(id);
    return true;
  }
  return store;
}

export function chatView(store, more) {
  const empty = h("p", { class: "dv-quiet" }, "Nothing said yet.");
  const list = h("ol", { class: "dv-chat", tabindex: "0", role: "list", "aria-label": "Conversation, oldest first" });
  const el = h("div", {}, empty, list);
  let drawn = [];
  const draw = () => {
    const atEnd = isAtEnd(list);
    store.items.forEach((item, index) => {
      if (drawn[index] === item.id) return;
      const fresh = entry(item);
      if (list.children[index]) list.children[index].replaceWith(fresh);
      else list.append(fresh);
      drawn[index] = item.id;
    });
    empty.hidden = store.items.length > 0;
    list.hidden = !store.items.length;
    if (atEnd) list.scrollTop = list.scrollHeight;
  };
  let asked = -1;
  const update = (count) => {
    draw();
    const have = store.items.length;
    if (count > have && asked !== have) more((asked = have));
  };
  const toEnd = () => { list.scrollTop = list.scrollHeight; };
  const watcher = () => {
    asked = -1;
    if (el.checkVisibility()) draw(); // else once its tab is opened
  };
  store.watchers.add(watcher);
  return { el, update, toEnd, close: () => store.watchers.delete(watcher) };
}

function entry(item) {
  const who = item.devin ? "Devin" : "You";
  const head = h("div", { class: "dv-spoke" }, h("strong", {}, who), " ", item.at ? h("time", { class: "dv-quiet" }, clock(item.at)) : null);
  const body = prose(item.html);
  const li = h("li", { class: item.devin ? "dv-from-devin" : "dv-from-you" }, head, body);
  if (item.long) li.append(unfolder(body));
  return li;
}

function unfolder(body) {
  body.classList.add("dv-folded");
  const button = h("button", { type: "button", class: "dv-link", "aria-expanded": "false" }, "Show all of it");
  button.addEventListener("click", () => {
    const folded = body.classList.toggle("dv-folded");
    button.textContent = folded ? "Show all of it" : "Show less";
    button.setAttribute("aria-expanded", String(!folded));
  });
  return button;
}
