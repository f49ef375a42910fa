// Rows of a board as values: columns, totals, sorting, filtering. Pure.
import { duration, number, plural } from "./words.js";

// In the order in which a person reads them; `color` is of the bar.
export const COLUMNS = [
  { key: "needs_you", title: "Needs you", color: "#8a5a00" },
  { key: "working", title: "Working", color: "#0860ca" },
  { key: "failed", title: "Failed", color: "#c01f2b" },
  { key: "finished", title: "Finished", color: "#1a7432" },
];
const BAR = ["finished", "needs_you", "failed", "working"];

export function isSimulated(row) {
  return row.labels.includes("simulated");
}

// How many rows are in each column, what they cost together, and how many there are in all.
export function totals(rows, waiting) {
  const counts = { needs_you: 0, working: 0, failed: 0, finished: 0 };
  let acus = 0, unknown = 0;
  for (const row of rows) {
    counts[row.group] += 1;
    if (row.acus === null) unknown += 1;
    else acus += row.acus;
  }
  return { ...counts, acus, unknown, waiting: waiting || 0, all: rows.length + (waiting || 0) };
}

export function money({ acus, unknown }) {
  return `${number(acus)} ACU${unknown ? ` (${number(unknown)} of unknown cost)` : ""}`;
}

// What ended of all there is: those that failed have ended too, and are said beside.
export function doneWords(sum) {
  return `${number(sum.finished)} of ${number(sum.all)} finished`;
}

// The parts of the bar, as shares of 1; what waits is the rest.
export function parts(sum) {
  if (!sum.all) return [];
  const colors = Object.fromEntries(COLUMNS.map(({ key, color }) => [key, color]));
  return BAR.filter((key) => sum[key]).map((key) => ({ key, share: sum[key] / sum.all, color: colors[key] }));
}

export function barWords(sum) {
  const words = COLUMNS.filter(({ key }) => sum[key]).map(({ key, title }) => `${number(sum[key])} ${title.toLowerCase()}`);
  if (sum.waiting) words.push(`${number(sum.waiting)} waiting`);
  return words.join(", ");
}

// How long the batch runs, and about how long it still takes.
export function pace({ started, ended, seconds_left }, now) {
  if (!started) return "";
  const words = [duration((ended || now) - started)];
  if (!ended && seconds_left >= 1) words.push(`about ${duration(seconds_left)} left`);
  return words.join(", ");
}

export function cost(row) {
  if (row.acus === null) return row.phase === "refused" || row.phase === "queued" ? "" : "ACU unknown";
  return `${number(row.acus)} ACU`;
}

// The columns of the answers, those that most rows have first come first; at most so many.
export function answerColumns(rows, most = 4) {
  const names = new Map();
  for (const row of rows) for (const [name] of row.answer) names.set(name, (names.get(name) ?? 0) + 1);
  const order = [...names.keys()];
  return order.sort((a, b) => names.get(b) - names.get(a) || order.indexOf(a) - order.indexOf(b)).slice(0, most);
}

export function valueOf(row, name) {
  return row.answer.find(([each]) => each === name)?.[1] ?? "";
}

export function matches(row, words, group) {
  if (group && row.group !== group && row.phase !== group) return false;
  const answer = row.answer.map(([, value]) => value).join(" ");
  const text = `${row.name} ${row.title} ${row.repos} ${row.id} ${row.reason} ${answer}`.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

// Nulls last in either direction; equal rows keep their order.
export function sorted(rows, pick, down) {
  const sign = down ? -1 : 1;
  const figure = (value) => (typeof value === "string" && value.trim() !== "" && !Number.isNaN(Number(value)) ? Number(value) : value);
  return [...rows].sort((a, b) => {
    const [x, y] = [figure(pick(a)), figure(pick(b))];
    if (x === y) return 0;
    if (x === null || x === "") return 1;
    if (y === null || y === "") return -1;
    return sign * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
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

export function restWords(count) {
  return count ? `${plural(count, "more session")} ${count === 1 ? "is" : "are"} not shown here.` : "";
}
