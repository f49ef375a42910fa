// The board: three columns of cards. A card is replaced only when its row changed.
import { h } from "./dom.js";
import { COLUMNS, columnOf, isSimulated } from "./rows.js";
import { number } from "./words.js";

export function boardView(styles, open) {
  const cards = new Map();
  const columns = Object.fromEntries(COLUMNS.map(({ key, title }) => [key, column(title)]));
  const el = h("div", { class: "dv-columns" }, ...COLUMNS.map(({ key }) => columns[key].el));

  // Said once over the board, unless only some of the rows are.
  const update = (rows, opened) => {
    const mixed = rows.some(isSimulated) && !rows.every(isSimulated);
    const placed = { working: [], needs_you: [], done: [] };
    for (const row of rows) placed[columnOf(row)].push(cardFor(row, opened, mixed));
    for (const { key } of COLUMNS) columns[key].show(placed[key]);
  };
  const cardFor = (row, opened, mixed) => {
    let known = cards.get(row.id);
    if (!known || known.row !== row || known.mixed !== mixed) {
      known = { row, mixed, el: card(row, styles, open, mixed) };
      cards.set(row.id, known);
    }
    known.el.firstChild.setAttribute("aria-expanded", String(row.id === opened));
    return known.el;
  };
  return { el, update };
}

function column(title) {
  const count = h("span", { class: "dv-quiet" });
  const list = h("ul", { class: "dv-cards", tabindex: "0", role: "list", "aria-label": title });
  const empty = h("p", { class: "dv-quiet" }, "None.");
  const el = h("div", { class: "dv-column" }, h("h4", {}, `${title} `, count), list, empty);
  const show = (items) => {
    count.textContent = number(items.length);
    empty.hidden = items.length > 0;
    list.hidden = !items.length;
    arrange(list, items);
  };
  return { el, show };
}

// Puts the items into the list in order, touching only what is out of place, so that scroll and focus stay.
export function arrange(list, items) {
  const wanted = new Set(items);
  for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
  items.forEach((item, index) => {
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
}

function card(row, styles, open, mixed) {
  const style = { ...styles[row.phase], ...row };
  const dot = h("span", { class: "dv-dot", "aria-hidden": "true" });
  dot.style.backgroundColor = style.color;
  const note = h("span", { class: "dv-card-note" },
    h("span", { class: "dv-phase" }, dot, style.label),
    h("span", { class: "dv-quiet" }, row.acus === null ? "ACU unknown" : `${number(row.acus)} ACU`),
    row.pull_requests ? h("span", { class: "dv-quiet" }, `${row.pull_requests} PR`) : null,
    ...row.labels.filter((label) => mixed || label !== "simulated").map((label) => h("span", { class: "dv-quiet" }, label)));
  const title = h("span", { class: "dv-card-title" }, row.name || row.title);
  const asks = row.question ? h("span", { class: "dv-card-asks" }, row.question) : null;
  const button = h("button", { type: "button", class: "dv-card", title: row.name ? row.title : null, "aria-expanded": "false" }, title, note, asks);
  button.addEventListener("click", () => open(row.id));
  return h("li", {}, button);
}
