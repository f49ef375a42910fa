// Calls the person back: the tab's title, and a desktop notification where that was allowed. Once per event.

// Several panels may show one session, each with this module to itself: what was told is kept on the page.
const page = (globalThis[Symbol.for("devin-jupyter attention")] ??= { told: new Set(), calls: new Map(), title: null, claim: null, noticed: null });

// Only a change that happened before our eyes counts; a page that opens on a finished session stays quiet.
export function callFor(before, after) {
  if (!before || before.id !== after.id) return null;
  if (after.needs_you && !before.needs_you) return `Devin needs you: ${after.title}`;
  if (after.turn_over && !before.turn_over) return `Devin: ${after.label}: ${after.title}`;
  return null;
}

export function attend(before, after) {
  const words = callFor(before, after);
  if (words) call(after.id, words, { key: eventOf({ ...after, updated: after.ended }), urgent: after.needs_you });
  else if (before && goesOn(before, after)) settle(after.id);
}

// Whether what the person was called for is no more: it works again, or needs them no longer.
export function goesOn(before, after) {
  return (before.turn_over && !after.turn_over) || (before.needs_you && !after.needs_you);
}

// Of a board: the rows that start to need the person, in one call; else that the last one at work ended.
export function attendRows(before, after) {
  const known = new Map(before.rows.map((row) => [row.id, row]));
  const moved = after.rows.filter((row) => known.has(row.id) && known.get(row.id) !== row);
  const needy = moved.filter((row) => row.needs_you && !known.get(row.id).needs_you);
  for (const row of moved) if (goesOn(known.get(row.id), row)) settle(row.id);
  if (needy.length) callForRows(needy, after);
  else if (isOver(after) && !isOver(before)) callForEnd(after);
  else if (isOver(before) && !isOver(after)) settle(after.id);
}

function callForRows(needy, { id, title }) {
  const words = needy.length === 1 ? needy[0].name || needy[0].title : `${needy.length} sessions of ${title}`;
  call(needy.length === 1 ? needy[0].id : id, `Devin needs you: ${words}`, { key: needy.map(eventOf).join(), urgent: true });
}

function callForEnd({ id, title, rows }) {
  const last = Math.max(...rows.map(({ updated }) => updated ?? 0));
  call(id, `Devin: all ${rows.length} over: ${title}`, { key: `${id} ${rows.length} ${last}`, urgent: false });
}

// The same words as for the panel of that session, so that only one of them calls.
function eventOf(row) {
  return `${row.id} ${row.phase} ${row.turn_over ? row.updated : null}`;
}

function isOver({ rows, waiting }) {
  return rows.length > 0 && !waiting && rows.every((row) => row.turn_over);
}

// `id` says who calls, `key` which event of theirs; one that was told is not told again.
export function call(id, words, { key, urgent }) {
  if (page.told.has(key)) return;
  page.told.add(key);
  page.calls.delete(id);
  page.calls.set(id, { words, urgent });
  setTitle();
  notify(words, key);
}

export function settle(id) {
  if (page.calls.delete(id)) setTitle();
}

// The newest call, but one that needs the person stands before one that only tells.
export function foremost(calls) {
  return (calls.filter(({ urgent }) => urgent).at(-1) ?? calls.at(-1))?.words ?? null;
}

const DOINGS = ["focus", "pointerdown", "keydown"];

// Stands until the person does anything; a title that the host sets meanwhile is kept for afterwards.
function setTitle() {
  unclaim();
  const words = foremost([...page.calls.values()]);
  if (!words) return;
  const claim = () => {
    if (document.title === `● ${words}`) return;
    page.title = document.title;
    document.title = `● ${words}`;
  };
  claim();
  page.claim = new MutationObserver(claim);
  page.claim.observe(document.head, { childList: true, characterData: true, subtree: true });
  // A panel that moves with the focus in it makes a focus event too; only the window's own is a person's.
  page.noticed = ({ type, target }) => { if (type !== "focus" || target === window) calm(); };
  for (const event of DOINGS) window.addEventListener(event, page.noticed, { capture: true });
}

function calm() {
  page.calls.clear();
  unclaim();
}

function unclaim() {
  for (const event of DOINGS) window.removeEventListener(event, page.noticed, { capture: true });
  page.claim?.disconnect();
  if (page.title !== null) document.title = page.title;
  page.claim = page.title = page.noticed = null;
}

function notify(words, tag) {
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  if (document.visibilityState === "visible" && document.hasFocus()) return;
  const note = new Notification(words, { tag });
  note.addEventListener("click", () => { window.focus(); note.close(); });
}

export function canAsk() {
  return "Notification" in window && Notification.permission === "default";
}

export async function allow() {
  return (await Notification.requestPermission()) === "granted";
}
