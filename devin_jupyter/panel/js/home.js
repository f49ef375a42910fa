// Where a widget lives. While its output shows it, there; afterwards in the static snapshot of the same cell, whose
// output stays in the saved file. The kernel marks that place with a name that only this widget has.

// The two hooks of a widget, from a function that makes a view of its model, and one that begins listening to it.
export function resident(makeView, begin) {
  const shown = new Set();
  let place = null;
  let model = null; // of the two faces of a model the one of `initialize`: the other is deaf after its view
  return {
    initialize(context) {
      model = context.model;
      const end = begin(model);
      place = settle(model.get("home"), () => makeView(model), () => shown.size > 0);
      place.look();
      return () => {
        end();
        place.close();
      };
    },
    render({ el }) {
      const view = makeView(model);
      view.refocus = keepFocus(view.el);
      el.append(view.el);
      shown.add(view);
      place.look();
      return () => {
        shown.delete(view);
        if (shown.size || !place.adopt(view)) view.close();
        place.look();
      };
    },
  };
}

function settle(name, makeView, isShown) {
  const places = document.getElementsByClassName(`dv-home-${name}`);
  let view = null;
  const look = () => {
    const home = isShown() ? null : places[0];
    if (!home) { leave(); return; }
    if (!view) {
      view = makeView();
      view.refocus = keepFocus(view.el);
    }
    if (view.el.parentNode !== home) { home.prepend(view.el); view.refocus(); }
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

// Moving an element takes its focus away; where the element is still there a moment later, a person did.
function keepFocus(el) {
  let last = null;
  el.addEventListener("focusin", (event) => { last = event.target; });
  el.addEventListener("focusout", () => setTimeout(() => {
    if (el.isConnected && !el.contains(document.activeElement)) last = null;
  }));
  return () => last?.focus({ preventScroll: true });
}
