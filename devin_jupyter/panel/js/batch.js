// The widget of many sessions: totals, a board or a table, and the panel of the one that was opened.
import { boardView } from "./board.js";
import { attendRows } from "./attention.js";
import { act, channelOf, GONE } from "./channel.js";
import { chatStore } from "./chat.js";
import { h, labeled, quietKeys, uniqueId } from "./dom.js";
import { anchored } from "./anchor.js";
import { isSimulated, matches, rowStore, totals, totalWords } from "./rows.js";
import { sessionView } from "./session.js";
import { tableView } from "./table.js";
import { number } from "./words.js";

export default () => {
  const watchers = new Set();
  let store = null;
  const begin = (model) => {
    store = rowStore(() => model.send({ action: "table" }));
    store.fill(model.get("table"));
    const board = () => ({ id: model.get("anchor"), rows: store.all(), ...model.get("header") });
    let known = board();
    const changed = () => {
      attendRows(known, board());
      known = board();
    };
    const take = (content) => {
      if (!content || !store.take(content).length) return;
      changed();
      for (const watcher of watchers) watcher();
    };
    model.on("msg:custom", take);
    model.on("change:header", changed);
    return () => {
      model.off("msg:custom", take);
      model.off("change:header", changed);
    };
  };
  return anchored((model) => batchView(model, store, watchers), begin);
};

function batchView(model, store, watchers) {
  const channel = channelOf(model);
  const styles = model.get("header").styles;
  const opened = detailView(model, channel);
  const heading = h("strong", { class: "dv-title" });
  const simulated = labeled("simulated");
  const words = h("span", { class: "dv-totals" });
  const bar = h("progress", { class: "dv-bar", "aria-label": "Sessions done" });
  const note = h("p", { class: "dv-quiet", role: "status" });
  const tools = toolRow(styles, () => update());
  const views = { board: boardView(styles, opened.open), table: tableView(styles, opened.open) };
  const frame = h("section", { class: "dv-board-frame", tabindex: "-1" },
    h("div", { class: "dv-head" }, heading, simulated), h("div", { class: "dv-row" }, words, bar), tools.el, note, views.board.el, views.table.el, opened.el);
  const el = quietKeys(h("div", { class: "dv-live" }, frame));

  const update = () => {
    const header = model.get("header");
    const rows = store.all();
    const shown = rows.filter((row) => matches(row, tools.words(), tools.phase()));
    const sum = totals(rows, header.waiting);
    heading.textContent = header.title;
    simulated.hidden = !rows.some(isSimulated);
    frame.setAttribute("aria-label", header.title);
    words.textContent = totalWords(sum);
    bar.max = Math.max(1, sum.all);
    bar.value = sum.over.done;
    note.textContent = channel.isGone ? GONE : remarks(rows, shown, header);
    note.hidden = !note.textContent;
    for (const [name, view] of Object.entries(views)) {
      view.el.hidden = name !== tools.view() || !shown.length;
      if (!view.el.hidden) view.update(shown, opened.id());
    }
  };
  opened.onChange(update);
  model.on("change:header", update);
  channel.watch(update);
  watchers.add(update);
  update();
  const close = () => {
    model.off("change:header", update);
    watchers.delete(update);
    opened.close();
    channel.close();
  };
  return { el, close };
}

function remarks(rows, shown, header) {
  if (!rows.length) return "No sessions yet.";
  const words = [];
  if (!shown.length) words.push("No session matches the filter.");
  else if (shown.length < rows.length) words.push(`${number(shown.length)} of ${number(rows.length)} shown.`);
  if (header.beyond) words.push(`${number(header.beyond)} more sessions are not shown here.`);
  return words.join(" ");
}

function toolRow(styles, changed) {
  const [searchId, phaseId] = [uniqueId("search"), uniqueId("phase")];
  const search = h("input", { id: searchId, type: "search", class: "dv-field", placeholder: "Filter", autocomplete: "off" });
  const options = Object.entries(styles).map(([phase, style]) => h("option", { value: phase }, style.label));
  const phase = h("select", { id: phaseId, class: "dv-field" }, h("option", { value: "" }, "all phases"), ...options);
  const choices = ["board", "table"].map((name) => h("button", { type: "button", class: "dv-button", "aria-pressed": String(name === "board") }, name === "board" ? "Board" : "Table"));
  let view = "board";
  choices.forEach((button, index) => button.addEventListener("click", () => {
    view = index ? "table" : "board";
    choices.forEach((each, which) => each.setAttribute("aria-pressed", String(which === index)));
    changed();
  }));
  search.addEventListener("input", changed);
  phase.addEventListener("change", changed);
  const el = h("div", { class: "dv-tools" }, h("span", { class: "dv-row", role: "group", "aria-label": "View" }, ...choices),
    h("label", { for: searchId, class: "dv-hidden" }, "Filter sessions"), search, h("label", { for: phaseId, class: "dv-hidden" }, "Phase"), phase);
  return { el, words: () => search.value, phase: () => phase.value, view: () => view };
}

// The panel below the board. The kernel opens the session; its conversation is kept per session.
function detailView(model, channel) {
  const problem = h("p", { class: "dv-problem", role: "alert", hidden: true });
  const place = h("div");
  const shut = h("button", { type: "button", class: "dv-button" }, "Close");
  const bar = h("div", { class: "dv-row", hidden: true }, shut);
  const el = h("div", { class: "dv-detail", hidden: true }, problem, bar, place);
  let current = null;
  let chat = null;
  let opener = null;
  let changed = () => {};
  const take = (content) => { if (content?.session === current?.id) chat.take(content); };
  const leave = () => { current?.view.close(); current = null; place.replaceChildren(); };
  const come = (state) => {
    chat = chatStore();
    current = { id: state.id, view: sessionView(channel, chat) };
    place.append(current.view.el);
    current.view.update(state);
    if (opener) current.view.el.focus();
  };
  const draw = () => {
    const state = model.get("detail");
    if (state?.id !== current?.id) {
      leave();
      bar.hidden = !state;
      el.hidden = !state && problem.hidden;
      if (state) come(state);
      changed();
    }
    current?.view.update(state);
  };
  const open = (session) => {
    el.hidden = false;
    opener = document.activeElement;
    return act(channel, { action: "open", session }, [], { controls: [], problem, busy: () => {} });
  };
  shut.addEventListener("click", () => {
    (opener?.checkVisibility() ? opener : el.closest("[tabindex]")).focus({ preventScroll: true });
    opener = null;
    channel.tell({ action: "shut" });
  });
  model.on("change:detail", draw);
  model.on("msg:custom", take);
  draw();
  const close = () => { model.off("change:detail", draw); model.off("msg:custom", take); leave(); };
  return { el, open, id: () => current?.id ?? null, onChange: (callback) => { changed = callback; }, close };
}
