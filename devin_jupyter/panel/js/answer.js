// The answer: a list of records as a table, a flat object as names and values, a tree only for what is nested.
import { h, part } from "./dom.js";
import { copied } from "./clipboard.js";
import { treeView } from "./tree.js";
import { number } from "./words.js";

// What came in before the turn is over is in a tab of its own, so that it never makes the panel jump.
export function answerView() {
  return part({ class: "dv-answer" }, ({ answer, turn_over }) => (turn_over ? answer : null), (answer) => (answer ? answerParts(answer) : []));
}

export function answerParts(answer) {
  return [
    h("div", { class: "dv-parts", tabindex: "0", role: "group", "aria-label": "Answer" }, ...answer.parts.map(section)),
    footer(answer),
    answer.rest ? h("p", { class: "dv-quiet" }, answer.rest) : null,
  ];
}

function section(value) {
  const title = value.title ? h("div", { class: "dv-part-title" }, value.title) : null;
  return h("div", { class: "dv-part" }, title, DRAWN[value.kind](value));
}

const DRAWN = { table: records, pairs, list: items, value: ({ rows }) => cell(rows[0]?.[0] ?? "") };

function records({ columns, rows, more, more_columns: wider, title }) {
  const heads = columns.map((name) => h("th", { scope: "col" }, name));
  if (wider) heads.push(h("th", { class: "dv-quiet" }, `… ${number(wider)} more`));
  const body = rows.map((row) => h("tr", {}, ...row.map((value) => h("td", {}, cell(value)))));
  if (more) body.push(h("tr", {}, h("td", { colspan: String(columns.length), class: "dv-quiet" }, `… ${number(more)} more`)));
  return h("table", { class: "dv-records" }, h("caption", { class: "dv-hidden" }, title || "Answer"), h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...body));
}

function pairs({ rows, more }) {
  if (!rows.length) return h("p", { class: "dv-quiet" }, "none");
  const shown = rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, cell(value))]);
  return h("dl", { class: "dv-facts" }, ...shown, ...(more ? [h("dt", {}, `… ${number(more)} more`), h("dd")] : []));
}

function items({ rows, more }) {
  return h("ul", { class: "dv-items" }, ...rows.map(([value]) => h("li", {}, cell(value))), more ? h("li", { class: "dv-quiet" }, `… ${number(more)} more`) : null);
}

function cell(value) {
  if (value === null || typeof value !== "object") return h("span", { class: "dv-value" }, String(value ?? "–"));
  const tree = treeView();
  tree.update(value);
  return tree.el;
}

function footer(answer) {
  const table = answer.parts.find(({ kind }) => kind === "table");
  const copy = h("button", { type: "button", class: "dv-link" }, "copy");
  copy.addEventListener("click", async () => {
    const done = await copied(table ? tabbed(table) : answer.parts.map(plain).join("\n"));
    const few = table?.more ? ` the first ${number(table.rows.length)} rows` : "";
    copy.textContent = done ? `copied${few}` : "the browser keeps its clipboard closed";
    setTimeout(() => { copy.textContent = "copy"; }, 2000);
  });
  const note = answer.note ? [`${answer.note} · `] : [];
  return h("div", { class: "dv-note dv-quiet" }, ...note, copy, " · ", h("code", {}, answer.code));
}

// Tab-separated, as spreadsheets paste it; a cell that could be taken for a formula is told to be text.
export function tabbed({ columns, rows }) {
  const flat = (value) => {
    const words = (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value ?? "")).replace(/[\t\r\n]+/g, " ");
    return /^[=+@]|^-(?![\d.])/.test(words) ? `'${words}` : words;
  };
  return [columns, ...rows].map((row) => row.map(flat).join("\t")).join("\n");
}

function plain({ kind, rows }) {
  const flat = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : String(value ?? ""));
  return rows.map((row) => row.map(flat).join(kind === "pairs" ? ": " : "\t")).join("\n");
}
