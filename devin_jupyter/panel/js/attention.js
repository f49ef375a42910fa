// Calls the person back: the tab's title, and a desktop notification where that was allowed. Once per event.

// Several panels may show one session, each with this module to itself: what was told is kept on the page.
const page = (globalThis[Symbol.for("devin-jupyter")] ??= { told: new Set(), title: null, claim: null });

// Only a change that happened before our eyes counts; a page that opens on a finished session stays quiet.
export function callFor(before, after) {
  if (!before || before.id !== after.id) return null;
  if (after.needs_you && !before.needs_you) return `Devin needs you: ${after.title}`;
  if (after.turn_over && !before.turn_over) return `Devin: ${after.label}: ${after.title}`;
  return null;
}

export function attend(before, after) {
  const words = callFor(before, after);
  if (!words) {
    if (before && !after.turn_over && before.turn_over) calm();
    return;
  }
  const key = `${after.id} ${after.phase} ${after.ended}`;
  if (page.told.has(key)) return;
  page.told.add(key);
  setTitle(words);
  notify(words, key);
}

const DOINGS = ["focus", "pointerdown", "keydown"];

// Stands until the person does anything; a title that the host sets meanwhile is kept for afterwards.
function setTitle(words) {
  calm();
  const claim = () => {
    if (document.title === `● ${words}`) return;
    page.title = document.title;
    document.title = `● ${words}`;
  };
  claim();
  page.claim = new MutationObserver(claim);
  page.claim.observe(document.head, { childList: true, characterData: true, subtree: true });
  for (const event of DOINGS) window.addEventListener(event, calm, { once: true, capture: true });
}

export function calm() {
  for (const event of DOINGS) window.removeEventListener(event, calm, { capture: true });
  page.claim?.disconnect();
  if (page.title !== null) document.title = page.title;
  page.claim = page.title = null;
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
