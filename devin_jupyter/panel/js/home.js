// Where a panel lives. While its output shows the widget, there; afterwards in the static snapshot of the same cell,
// whose output stays in the saved file. The kernel marks that place with a name that only this panel has.

export function settle(name, makeView, isShown) {
  const places = document.getElementsByClassName(`dv-home-${name}`);
  let view = null;
  const look = () => {
    const place = isShown() ? null : places[0];
    if (!place) { leave(); return; }
    view ??= makeView();
    if (view.el.parentNode !== place) { place.prepend(view.el); view.refocus(); }
  };
  const leave = () => {
    view?.close();
    view?.el.remove();
    view = null;
  };
  // A view whose output goes away moves in as it is, with what the person was writing.
  const adopt = (orphan) => {
    if (view || !places.length) return false;
    view = orphan;
    return true;
  };
  const observer = new MutationObserver(look);
  observer.observe(document.body, { childList: true, subtree: true });
  return { look, adopt, close: () => { observer.disconnect(); leave(); } };
}

// Moving an element takes its focus away without a word; a blur of a connected element is a person's doing.
export function keepFocus(el) {
  let last = null;
  el.addEventListener("focusin", (event) => { last = event.target; });
  el.addEventListener("focusout", () => { if (el.isConnected) last = null; });
  return () => last?.focus({ preventScroll: true });
}
