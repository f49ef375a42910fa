// The table: sortable by every column. Rows are replaced only when they changed.
import { h } from "./dom.js";
import { arrange } from "./board.js";
import { sorted } from "./rows.js";
import { day, number } from "./words.js";

const FIELDS = [
  { key: "title", title: "Session", width: "31%" },
  { key: "phase", title: "Phase", width: "18%" },
  { key: "acus", title: "ACU", width: "9%", number: true },
  { key: "repos", title: "Repositories", width: "17%", wide: true },
  { key: "pull_requests", title: "PRs", width: "7%", number: true, wide: true },
  { key: "updated", title: "Last change", width: "18%", wide: true },
];

export function tableView(styles, open) {
  const drawn = new Map();
  const body = h("tbody");
  let order = { key: "updated", down: true };
  let last = [[], null];
  const heads = FIELDS.map((field) => headCell(field, () => {
    order = { key: field.key, down: order.key === field.key ? !order.down : Boolean(field.number) || field.key === "updated" };
    update(...last);
  }));
  const head = h("thead", {}, h("tr", {}, ...heads.map((each) => each.el)));
  const table = h("table", { class: "dv-table" }, h("caption", { class: "dv-hidden" }, "Sessions"), head, body);
  const el = h("div", { class: "dv-scroll", tabindex: "0", role: "group", "aria-label": "Table of sessions" }, table);

  const update = (rows, opened) => {
    last = [rows, opened];
    for (const each of heads) each.mark(order);
    arrange(body, sorted(rows, order.key, order.down).map((row) => rowFor(row, opened)));
  };
  const rowFor = (row, opened) => {
    let known = drawn.get(row.id);
    if (!known || known.row !== row) {
      known = { row, el: tableRow(row, styles, open) };
      drawn.set(row.id, known);
    }
    known.el.classList.toggle("dv-opened", row.id === opened);
    known.el.querySelector("button").setAttribute("aria-expanded", String(row.id === opened));
    return known.el;
  };
  return { el, update };
}

function classes(field) {
  return [field.number ? "dv-number" : "", field.wide ? "dv-wide" : ""].join(" ").trim() || null;
}

function headCell(field, click) {
  const arrow = h("span", { "aria-hidden": "true" });
  const el = h("th", { scope: "col", class: classes(field) }, h("button", { type: "button", class: "dv-sort", onclick: click }, field.title, arrow));
  el.style.width = field.width;
  const mark = (order) => {
    const mine = order.key === field.key;
    el.setAttribute("aria-sort", mine ? (order.down ? "descending" : "ascending") : "none");
    arrow.textContent = mine ? (order.down ? " ↓" : " ↑") : "";
  };
  return { el, mark };
}

function tableRow(row, styles, open) {
  const style = { ...styles[row.phase], ...row };
  const dot = h("span", { class: "dv-dot", "aria-hidden": "true" });
  dot.style.backgroundColor = style.color;
  const name = h("button", { type: "button", class: "dv-link dv-cut", title: row.title }, row.name || row.title);
  name.addEventListener("click", () => open(row.id));
  const cells = [name, h("span", {}, dot, style.label), row.acus === null ? "unknown" : number(row.acus), row.repos, number(row.pull_requests), row.updated ? day(row.updated) : ""];
  return h("tr", {}, ...cells.map((cell, index) => h("td", { class: classes(FIELDS[index]) }, cell)));
}
