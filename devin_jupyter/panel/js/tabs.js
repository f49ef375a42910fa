// One row of tabs under the reply box; a click on the one that is open closes it. Only what is open is drawn.
import { answerParts } from "./answer.js";
import { chatView } from "./chat.js";
import { act } from "./channel.js";
import { h, link, part, uniqueId } from "./dom.js";
import { stepList } from "./steps.js";
import { clock, elapsed, number } from "./words.js";

export function tabsView(channel, chat) {
  const tabs = [talk(channel, chat), steps(channel, chat), soFar(), timeline(), files(channel, chat), facts()];
  const list = h("div", { class: "dv-tabs", role: "tablist", "aria-label": "More of this session" });
  const place = h("div", { class: "dv-tab-place" });
  const el = h("div", { class: "dv-rest" }, list, place);
  let open = null;
  let state = null;
  const show = (tab) => {
    open?.button.setAttribute("aria-selected", "false");
    if (open) open.pane.hidden = true;
    open = open === tab ? null : tab;
    reachable(tab);
    if (!open) return;
    open.button.setAttribute("aria-selected", "true");
    open.pane.hidden = false;
    open.update(state);
    open.shown?.();
  };
  for (const tab of tabs) {
    const [id, pane] = [uniqueId("tab"), uniqueId("pane")];
    tab.count = h("span", { class: "dv-count" });
    tab.button = h("button", { type: "button", id, class: "dv-tab", role: "tab", "aria-selected": "false", "aria-controls": pane }, tab.title, " ", tab.count);
    tab.pane = h("div", { id: pane, class: "dv-pane", role: "tabpanel", "aria-labelledby": id, hidden: true }, tab.el);
    tab.button.addEventListener("click", () => show(tab));
    list.append(tab.button);
    place.append(tab.pane);
  }
  const shownTabs = () => tabs.filter((tab) => !tab.button.hidden);
  list.addEventListener("keydown", (event) => {
    const all = shownTabs();
    const at = all.findIndex(({ button }) => button === document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const next = all[(to + all.length) % all.length];
    reachable(next);
    next.button.focus();
  });
  // One stop for the tab key; the arrows lead on from there.
  const reachable = (chosen) => { for (const tab of tabs) tab.button.tabIndex = tab === chosen ? 0 : -1; };
  const update = (next) => {
    state = next;
    for (const tab of tabs) {
      tab.button.hidden = tab.isThere ? !tab.isThere(next) : false;
      const words = tab.words?.(next) ?? "";
      if (tab.count.textContent !== words) tab.count.textContent = words;
    }
    if (open?.button.hidden) show(open);
    if (!list.contains(document.activeElement)) reachable(open ?? shownTabs()[0]);
    open?.update(next);
    look(next);
  };
  const look = (next) => { for (const tab of tabs) tab.look?.(next); };
  const reach = (can) => { for (const tab of tabs) tab.reach?.(can); };
  return { el, update, look, reach, close: () => { for (const tab of tabs) tab.close?.(); } };
}

function counted(count) {
  return count ? number(count) : "";
}

function talk(channel, chat) {
  const view = chatView(chat, (have) => channel.tell({ action: "messages", have }));
  return { title: "Conversation", el: view.el, words: ({ messages }) => counted(messages), update: ({ messages }) => view.update(messages), shown: view.toEnd, close: view.close };
}

function steps(channel, chat) {
  const view = stepList(chat, { most: 1000, label: "Steps, newest first" });
  const reason = h("p", { class: "dv-quiet" });
  let asked = false;
  // A page that came later than the steps asks for them once.
  const look = ({ live }) => {
    if (live.steps > 0 && !chat.steps.size && !asked) { asked = true; channel.tell({ action: "steps" }); }
  };
  const update = () => view.update();
  return { title: "Steps", el: h("div", {}, reason, view.el), words: ({ live }) => counted(live.steps), isThere: ({ live }) => live.state === "on" || live.steps > 0, update, look, close: view.close };
}

function soFar() {
  const inner = part({ class: "dv-answer" }, ({ answer }) => answer, (answer) => (answer ? answerParts(answer) : []));
  return { title: "Answer so far", el: inner.el, isThere: ({ answer, turn_over }) => answer !== null && !turn_over, update: inner.update };
}

function timeline() {
  const inner = part({}, ({ timeline: list, created }) => ({ list, created }), ({ list, created }) => h("ol", { class: "dv-timeline" }, ...list.map(({ icon, label, at }) =>
    h("li", {}, h("time", { class: "dv-quiet dv-since", title: at ? clock(at) : null }, at ? elapsed(at, created ?? list[0].at ?? at) : ""), h("span", { class: "dv-icon", "aria-hidden": "true" }, icon), label))));
  return { title: "Timeline", el: inner.el, update: inner.update };
}

function files(channel, chat) {
  const problem = h("p", { class: "dv-problem", role: "alert", hidden: true });
  const save = h("button", { type: "button", class: "dv-button" }, "Save all beside the notebook");
  save.addEventListener("click", () => {
    const busy = (is) => { save.textContent = is ? "Saving…" : "Save all beside the notebook"; };
    act(channel, { action: "download" }, [], { controls: [save], problem, busy });
  });
  const listed = part({}, () => chat.files, (items) => (items === null ? [h("p", { class: "dv-quiet" }, "Asking for the files…")] : items.length ? [
    h("ul", { class: "dv-listed", role: "list" }, ...items.map(({ name, url, devin }) => h("li", {}, link(url, name), " ", h("span", { class: "dv-quiet" }, devin ? "from Devin" : "from you")))),
  ] : [h("p", { class: "dv-quiet" }, "No files.")]));
  let [asked, state] = [null, null];
  const ask = () => { if (!channel.isGone) channel.ask({ action: "files" }); };
  // Asked for once at the end of each turn, and again whenever the tab is opened.
  const look = (next) => {
    state = next;
    const turn = next.turn_over && next.files ? `${next.id} ${next.messages} ${next.phase}` : null;
    if (turn && turn !== asked && channel.isSeen()) { asked = turn; ask(); }
  };
  const watcher = () => {
    listed.update(state);
    save.hidden = !chat.files?.length;
    if (tab.count) tab.count.textContent = tab.words();
  };
  chat.watchers.add(watcher);
  save.hidden = true;
  const tab = {
    title: "Files", el: h("div", {}, listed.el, save, problem), words: () => counted(chat.files?.length), isThere: (next) => next.files,
    update: listed.update, shown: ask, look, reach: (can) => { save.disabled = !can; }, close: () => chat.watchers.delete(watcher),
  };
  return tab;
}

function facts() {
  const pairs = part({}, ({ facts: list, live }) => [...list, ["live channel", live.reason && live.state !== "on" ? `${live.state}: ${live.reason}` : live.state]], (list) =>
    h("dl", { class: "dv-facts" }, ...list.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "number" ? clock(value) : value)])));
  return { title: "Details", el: pairs.el, update: pairs.update };
}
