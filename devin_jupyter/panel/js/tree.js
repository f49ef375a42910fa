// A JSON value as a tree of details elements. What a person opened or closed stays so when the value is replaced.
import { h } from "./dom.js";

const ITEMS = 200;
const DEPTH = 20;

export function treeView() {
  const touched = new Map();
  const el = h("div", { class: "dv-tree", tabindex: "0", role: "group", "aria-label": "Structured output" });
  const update = (value) => el.replaceChildren(node(null, value, "$", 0, touched));
  return { el, update };
}

function node(key, value, path, depth, touched) {
  if (value === null || typeof value !== "object") return leaf(key, scalar(value));
  const entries = Array.isArray(value) ? value.map((item, index) => [String(index), item]) : Object.entries(value);
  if (!entries.length) return leaf(key, Array.isArray(value) ? "empty list" : "empty object");
  if (isShort(value)) return leaf(key, value.map(scalar).join(", "));
  if (depth >= DEPTH) return leaf(key, JSON.stringify(value));
  const children = entries.slice(0, ITEMS).map(([name, item]) => node(name, item, `${path}.${name}`, depth + 1, touched));
  if (entries.length > ITEMS) children.push(leaf(null, `… ${entries.length - ITEMS} more`));
  if (key === null) return h("div", {}, ...children);
  return branch(key, summary(value, entries), children, path, depth, touched);
}

// A few plain values read better on one line.
export function isShort(value) {
  if (!Array.isArray(value) || value.length > 20) return false;
  return value.every((item) => item === null || typeof item !== "object") && value.join(", ").length <= 60;
}

function branch(key, words, children, path, depth, touched) {
  const open = touched.get(path) ?? depth < 3;
  const details = h("details", { open }, h("summary", {}, h("span", { class: "dv-key" }, key), " ", h("span", { class: "dv-quiet" }, words)));
  details.append(h("div", { class: "dv-branch" }, ...children));
  details.addEventListener("toggle", () => touched.set(path, details.open));
  return details;
}

// The first few scalars of an object tell rows apart while they are folded.
export function summary(value, entries) {
  if (Array.isArray(value)) return `${entries.length} item${entries.length === 1 ? "" : "s"}`;
  const scalars = entries.filter(([, item]) => item !== null && typeof item !== "object").slice(0, 3);
  const words = scalars.map(([, item]) => String(item).slice(0, 40)).join(" · ");
  return words || `${entries.length} field${entries.length === 1 ? "" : "s"}`;
}

function leaf(key, words) {
  const value = h("span", { class: words === "–" ? "dv-quiet" : "dv-value" }, words);
  return h("div", { class: "dv-leaf" }, key === null ? null : h("span", { class: "dv-key" }, key), " ", value);
}

export function scalar(value) {
  if (value === null || value === undefined) return "–";
  return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
}
