// Rows of sessions as values: columns of the board, totals, sorting, filtering. Pure.
import { number, plural } from "./words.js";

export const COLUMNS = [
  { key: "working", title: "Working" },
  { key: "needs_you", title: "Needs you" },
  { key: "done", title: "Done or over" },
];

export function columnOf(row) {
  if (row.needs_you) return "needs_you";
  return row.turn_over ? "done" : "working";
}

export function isSimulated(row) {
  return row.labels.includes("simulated");
}

// `over` holds, by phase, those that ended and need nobody.
export function totals(rows, waiting) {
  const counts = { working: 0, needs_you: 0, done: 0 };
  const over = { done: 0, asleep: 0, blocked: 0, stopped: 0, failed: 0 };
  let acus = 0, unknown = 0;
  for (const row of rows) {
    const column = columnOf(row);
    counts[column] += 1;
    if (column === "done") over[row.phase] = (over[row.phase] ?? 0) + 1;
    if (row.acus === null) unknown += 1;
    else acus += row.acus;
  }
  return { ...counts, over, acus, unknown, all: rows.length + (waiting || 0), waiting: waiting || 0 };
}

export function money({ acus, unknown }) {
  return `${number(acus)} ACU${unknown ? ` + ${number(unknown)} unknown` : ""}`;
}

export function totalWords(sum) {
  const needy = `${number(sum.needs_you)} ${sum.needs_you === 1 ? "needs" : "need"} you`;
  const words = [plural(sum.all, "session"), `${number(sum.working)} working`, needy];
  for (const [phase, count] of Object.entries(sum.over)) if (count || phase === "done") words.push(`${number(count)} ${phase}`);
  if (sum.waiting) words.push(`${number(sum.waiting)} waiting`);
  return [...words, money(sum)].join(" · ");
}

export function matches(row, words, phase) {
  if (phase && row.phase !== phase) return false;
  const text = `${row.name} ${row.title} ${row.repos} ${row.id} ${row.question}`.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

// Nulls last in either direction; equal rows keep their order.
export function sorted(rows, key, down) {
  const sign = down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [a[key], b[key]];
    if (x === y) return 0;
    if (x === null || x === "") return 1;
    if (y === null || y === "") return -1;
    return sign * (typeof x === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
  });
}

// Rows by id, in their places, else in the order they first came. Deltas apply in sequence; a gap asks for the whole table.
const placeOf = ({ place }) => place ?? Number.MAX_SAFE_INTEGER;

export function rowStore(ask) {
  let rows = new Map();
  let sequence = 0;
  const fill = (table) => {
    rows = new Map(table.rows.map((row) => [row.id, row]));
    sequence = table.sequence;
  };
  const take = (content) => {
    if (content.kind === "table") { fill(content); return [...rows.keys()]; }
    if (content.kind !== "rows" || content.sequence <= sequence) return [];
    if (content.sequence > sequence + 1) ask();
    sequence = content.sequence;
    for (const row of content.rows) rows.set(row.id, row);
    return content.rows.map((row) => row.id);
  };
  return { fill, take, all: () => [...rows.values()].sort((a, b) => placeOf(a) - placeOf(b)), get: (id) => rows.get(id) };
}
