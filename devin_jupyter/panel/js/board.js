// The board: columns of cards, each as wide as it needs. A card is replaced only when its row changed.
import { h, link } from "./dom.js";
import { COLUMNS, cost, isSimulated } from "./rows.js";
import { number } from "./words.js";

export function boardView(open) {
  const cards = new Map();
  const columns = Object.fromEntries(COLUMNS.map(({ key, title }) => [key, column(title)]));
  const waits = waitingColumn();
  const el = h("div", { class: "dv-columns" }, ...COLUMNS.map(({ key }) => columns[key].el), waits.el);

  // Said once over the board, unless only some of the rows are.
  const update = (rows, opened, { waiting, why }) => {
    const mixed = rows.some(isSimulated) && !rows.every(isSimulated);
    const placed = Object.fromEntries(COLUMNS.map(({ key }) => [key, []]));
    for (const row of rows) placed[row.group].push(cardFor(row, opened, mixed));
    for (const { key } of COLUMNS) columns[key].show(placed[key]);
    waits.show(waiting, why);
  };
  const cardFor = (row, opened, mixed) => {
    let known = cards.get(row.id);
    if (!known || known.row !== row || known.mixed !== mixed) {
      known = { row, mixed, ...card(row, open, mixed) };
      cards.set(row.id, known);
    }
    known.mark(row.id === opened);
    return known.el;
  };
  return { el, update };
}

function column(title) {
  const count = h("span", { class: "dv-column-count" });
  const list = h("ul", { class: "dv-cards", tabindex: "0", role: "list", "aria-label": title });
  const el = h("div", { class: "dv-column" }, h("h4", {}, `${title} `, count), list);
  const show = (items) => {
    count.textContent = number(items.length);
    el.hidden = !items.length;
    el.style.setProperty("--dv-share", String(Math.min(4, Math.max(1, Math.ceil(items.length / 4)))));
    arrange(list, items);
  };
  return { el, show };
}

// Rows without a session have no cards: how many there are, and why they wait.
function waitingColumn() {
  const count = h("span", { class: "dv-column-count" });
  const reason = h("p", { class: "dv-quiet" });
  const el = h("div", { class: "dv-column dv-waiting", hidden: true }, h("h4", {}, "Waiting ", count), reason);
  const show = (waiting, why) => {
    count.textContent = number(waiting || 0);
    reason.textContent = why || "";
    el.hidden = !waiting;
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

export function dot(row) {
  const el = h("span", { class: "dv-dot", "aria-hidden": "true" });
  el.style.backgroundColor = row.color;
  return el;
}

export function pullLinks(row) {
  return row.pulls.map(({ name, url, state }) => link(url, shortPull(name), { title: state ? `${name}, ${state}` : name }));
}

// `acme/api#12` is `#12` in a card about acme/api.
function shortPull(name) {
  const at = name.lastIndexOf("#");
  return at > 0 ? name.slice(at) : name;
}

function card(row, open, mixed) {
  const marks = row.labels.filter((label) => mixed || label !== "simulated");
  const said = row.reason || row.told || row.activity;
  const isPlain = row.group === "finished" && row.told;
  const first = row.group === "failed" || isPlain ? said : row.label;
  const facts = [first, ...(row.group === "failed" && row.phase !== "failed" ? [row.label] : [])].filter(Boolean);
  const line = h("span", { class: "dv-card-note" }, h("span", { class: "dv-phase" }, dot(row), h("span", { class: "dv-clamp" }, facts.join(" · "))));
  const rest = said && said !== first ? h("span", { class: "dv-card-asks dv-clamp" }, said) : null;
  const title = h("span", { class: "dv-card-title" }, row.name || row.title);
  const hint = [row.name ? row.title : "", row.reason].filter(Boolean).join("\n") || null;
  const isSession = !row.id.startsWith("row-");
  const body = [title, line, rest];
  const button = isSession
    ? h("button", { type: "button", class: "dv-card-open", title: hint, "aria-expanded": "false" }, ...body)
    : h("div", { class: "dv-card-open", title: hint }, ...body);
  const words = [cost(row), ...marks].filter(Boolean);
  const foot = h("span", { class: "dv-card-foot dv-quiet" }, ...words.map((word) => h("span", {}, word)), ...pullLinks(row));
  const el = h("li", { class: "dv-card" }, button, foot);
  if (isSession) el.addEventListener("click", (event) => event.target.closest("a") || open(row.id)); // the keys reach the button
  const mark = (isOpen) => {
    el.classList.toggle("dv-opened", isOpen);
    if (isSession) button.setAttribute("aria-expanded", String(isOpen));
  };
  return { el, mark };
}
