// The widget of many sessions: totals, a board or a table, and the panel of the one that was opened.
import { boardView } from "./board.js";
import { attendRows } from "./attention.js";
import { act, channelOf, GONE } from "./channel.js";
import { chatStore } from "./chat.js";
import { h, keepingFocus, labeled, quietKeys, uniqueId } from "./dom.js";
import { anchored } from "./anchor.js";
import { barWords, COLUMNS, doneWords, isSimulated, matches, money, pace, parts, restWords, rowStore, totals } from "./rows.js";
import { sessionView } from "./session.js";
import { tableView } from "./table.js";
import { verbRow } from "./verbs.js";
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
  const opened = detailView(model, channel);
  const heading = h("strong", { class: "dv-title" });
  const template = h("span", { class: "dv-subtitle dv-quiet" });
  const simulated = labeled("simulated");
  const verbs = verbRow(model, channel);
  const done = h("strong", {});
  const bar = h("div", { class: "dv-progress", role: "img" });
  const facts = h("span", { class: "dv-totals dv-quiet" });
  const clock = h("span", { class: "dv-totals dv-quiet" });
  const remarks = h("div", { class: "dv-quiet", role: "status" });
  const tools = toolRow(() => update());
  const views = { board: boardView(opened.open), table: tableView(opened.open) };
  const frame = h("section", { class: "dv-board-frame", tabindex: "-1", id: `dv-board-${model.get("anchor")}` },
    h("div", { class: "dv-board-head" }, h("div", { class: "dv-head" }, heading, template), h("div", { class: "dv-row" }, simulated, ...verbs.els)),
    verbs.sure, verbs.problem,
    h("div", { class: "dv-row" }, done, bar, facts, clock),
    remarks, tools.el, views.board.el, views.table.el, opened.el);
  const el = quietKeys(h("div", { class: "dv-live" }, frame));

  const tick = () => { if (!channel.isGone) clock.textContent = pace(model.get("header"), Date.now() / 1000); };
  const timer = setInterval(() => { if (!document.hidden) tick(); }, 1000);
  const update = () => {
    const header = model.get("header");
    const rows = store.all();
    const shown = rows.filter((row) => matches(row, tools.words(), tools.group()));
    const sum = totals(rows, header.waiting);
    heading.textContent = header.title;
    template.textContent = header.subtitle || "";
    template.title = header.subtitle || "";
    simulated.hidden = !rows.some(isSimulated);
    frame.setAttribute("aria-label", header.title);
    done.textContent = sum.all ? doneWords(sum) : "";
    done.title = barWords(sum);
    facts.textContent = sum.all ? header.spent || money(sum) : "";
    drawBar(bar, sum);
    const lines = channel.isGone ? [GONE] : [...notesOn(rows, shown, header, sum), ...(header.remarks || [])];
    remarks.replaceChildren(...lines.map((line) => h("p", {}, line)));
    remarks.hidden = !lines.length;
    tools.el.hidden = rows.length < 2;
    keepingFocus(frame, () => verbs.update(header));
    const isFiltered = shown.length < rows.length;
    for (const [name, view] of Object.entries(views)) {
      view.el.hidden = name !== tools.view() || !(shown.length || (header.waiting && !isFiltered));
      if (!view.el.hidden) view.update(shown, opened.id(), isFiltered ? {} : header);
    }
    tick();
  };
  opened.onChange(update);
  model.on("change:header", update);
  channel.watch(update);
  watchers.add(update);
  update();
  const close = () => {
    clearInterval(timer);
    model.off("change:header", update);
    watchers.delete(update);
    opened.close();
    channel.close();
  };
  return { el, close };
}

function drawBar(bar, sum) {
  bar.setAttribute("aria-label", barWords(sum) || "no sessions");
  bar.hidden = !sum.all;
  bar.replaceChildren(...parts(sum).map(({ key, share, color }) => {
    const part = h("span", { class: `dv-part-${key}` });
    part.style.width = `${share * 100}%`;
    part.style.backgroundColor = color;
    return part;
  }));
}

function notesOn(rows, shown, header, sum) {
  if (!sum.all) return ["No sessions yet."];
  const words = [];
  if (rows.length && !shown.length) words.push("No session matches the filter.");
  else if (shown.length < rows.length) words.push(`${number(shown.length)} of ${number(rows.length)} shown.`);
  if (header.beyond) words.push(restWords(header.beyond));
  return words;
}

function toolRow(changed) {
  const [searchId, groupId] = [uniqueId("search"), uniqueId("group")];
  const search = h("input", { id: searchId, type: "search", class: "dv-field", placeholder: "Filter", autocomplete: "off" });
  const options = COLUMNS.map(({ key, title }) => h("option", { value: key }, title));
  const group = h("select", { id: groupId, class: "dv-field" }, h("option", { value: "" }, "all"), ...options);
  const choices = ["board", "table"].map((name) => h("button", { type: "button", class: "dv-button", "aria-pressed": String(name === "board") }, name === "board" ? "Board" : "Table"));
  let view = "board";
  choices.forEach((button, index) => button.addEventListener("click", () => {
    view = index ? "table" : "board";
    choices.forEach((each, which) => each.setAttribute("aria-pressed", String(which === index)));
    changed();
  }));
  search.addEventListener("input", changed);
  group.addEventListener("change", changed);
  const el = h("div", { class: "dv-tools" }, h("span", { class: "dv-row", role: "group", "aria-label": "View" }, ...choices),
    h("label", { for: searchId, class: "dv-hidden" }, "Filter sessions"), search, h("label", { for: groupId, class: "dv-hidden" }, "Column"), group);
  return { el, words: () => search.value, group: () => group.value, view: () => view };
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
