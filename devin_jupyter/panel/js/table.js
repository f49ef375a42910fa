// The table: sortable by every column. Rows are replaced only when they or the columns changed.
import { h } from "./dom.js";
import { arrange, dot, pullLinks } from "./board.js";
import { answerColumns, sorted, valueOf } from "./rows.js";
import { number } from "./words.js";

const NAME = { key: "name", title: "Row", pick: (row) => row.name || row.title };
const STATE = { key: "label", title: "Phase", pick: (row) => row.label };
const COST = { key: "acus", title: "ACU", pick: (row) => row.acus, number: true };
const PULLS = { key: "pulls", title: "Pull requests", pick: (row) => row.pulls.length, wide: true };
const REASON = { key: "reason", title: "Reason", pick: (row) => row.reason };
const REPOS = { key: "repos", title: "Repositories", pick: (row) => row.repos, wide: true };

export function tableView(open) {
  const drawn = new Map();
  const head = h("tr");
  const body = h("tbody");
  let order = { key: null, down: false };
  let last = [[], null];
  let shape = "";
  let heads = [];
  const table = h("table", { class: "dv-table" }, h("caption", { class: "dv-hidden" }, "Sessions"), h("thead", {}, head), body);
  const el = h("div", { class: "dv-scroll", tabindex: "0", role: "group", "aria-label": "Table of sessions" }, table);

  const sortBy = (field) => {
    order = { key: field.key, down: order.key === field.key ? !order.down : Boolean(field.number) };
    update(...last);
  };
  const update = (rows, opened) => {
    last = [rows, opened];
    const fields = fieldsOf(rows);
    const now = fields.map(({ key }) => key).join("\n");
    if (now !== shape) {
      shape = now;
      drawn.clear();
      heads = fields.map((field) => headCell(field, () => sortBy(field)));
      head.replaceChildren(...heads.map((each) => each.el));
    }
    for (const each of heads) each.mark(order);
    const field = fields.find(({ key }) => key === order.key);
    const ordered = field ? sorted(rows, field.pick, order.down) : rows;
    arrange(body, ordered.map((row) => rowFor(row, fields, opened)));
  };
  const rowFor = (row, fields, opened) => {
    let known = drawn.get(row.id);
    if (!known || known.row !== row) {
      known = { row, el: tableRow(row, fields, open) };
      drawn.set(row.id, known);
    }
    known.el.classList.toggle("dv-opened", row.id === opened);
    known.el.querySelector("button")?.setAttribute("aria-expanded", String(row.id === opened));
    return known.el;
  };
  return { el, update };
}

function fieldsOf(rows) {
  const answers = answerColumns(rows).map((name) => ({ key: `answer ${name}`, title: name, pick: (row) => valueOf(row, name) }));
  const has = (pick) => rows.some(pick);
  return [
    NAME, STATE, ...answers, COST,
    ...(has((row) => row.pulls.length) ? [PULLS] : []),
    ...(has((row) => row.reason) ? [REASON] : []),
    ...(!answers.length && has((row) => row.repos) ? [REPOS] : []),
  ];
}

function classes(field) {
  return [field.number ? "dv-number" : "", field.wide ? "dv-wide" : ""].join(" ").trim() || null;
}

function headCell(field, click) {
  const arrow = h("span", { "aria-hidden": "true" });
  const el = h("th", { scope: "col", class: classes(field) }, h("button", { type: "button", class: "dv-sort", onclick: click }, field.title, arrow));
  const mark = (order) => {
    const mine = order.key === field.key;
    el.setAttribute("aria-sort", mine ? (order.down ? "descending" : "ascending") : "none");
    arrow.textContent = mine ? (order.down ? " ↓" : " ↑") : "";
  };
  return { el, mark };
}

function tableRow(row, fields, open) {
  const cells = fields.map((field) => h("td", { class: classes(field), title: field === REASON ? row.reason : null }, ...cellOf(row, field, open)));
  return h("tr", {}, ...cells);
}

function cellOf(row, field, open) {
  if (field === NAME) {
    if (row.id.startsWith("row-")) return [row.name];
    const name = h("button", { type: "button", class: "dv-link dv-cut", title: row.title }, row.name || row.title);
    name.addEventListener("click", () => open(row.id));
    return [name];
  }
  if (field === STATE) return [h("span", { class: "dv-phase" }, dot(row), row.label)];
  if (field === COST) return [row.acus === null ? "unknown" : number(row.acus)];
  if (field === PULLS) return pullLinks(row).flatMap((each, index) => (index ? [", ", each] : [each]));
  return [field.pick(row)];
}
