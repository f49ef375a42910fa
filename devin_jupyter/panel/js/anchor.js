// Where a widget is shown: in its output while that is there, afterwards in the static snapshot of the same cell, whose
// output stays in the saved file. The kernel marks that element, the anchor, with the id of this widget.
import { isAtEnd, isFocusNowhere, refocus } from "./dom.js";

// The two hooks of a widget, from a function that makes a view of its model, and one that begins listening to it.
export function anchored(makeView, begin) {
  const shown = new Set();
  let anchor = null;
  let model = null; // of the two faces of a model the one of `initialize`: the other is deaf after its view
  return {
    initialize(context) {
      model = context.model;
      const end = begin(model);
      anchor = followAnchor(model.get("anchor"), () => makeView(model), () => shown.size > 0);
      anchor.look();
      return () => {
        end();
        anchor.close();
      };
    },
    render({ el }) {
      const view = makeView(model);
      view.restore = keepPlace(view.el);
      el.append(view.el);
      shown.add(view);
      anchor.look();
      return () => {
        shown.delete(view);
        if (shown.size || !anchor.adopt(view)) view.close();
        anchor.look();
      };
    },
  };
}

function followAnchor(id, makeView, isShown) {
  const anchors = document.getElementsByClassName(`dv-home-${id}`);
  let view = null;
  const look = () => {
    const anchor = isShown() ? null : anchors[0];
    if (!anchor) { leave(); return; }
    if (!view) {
      view = makeView();
      view.restore = keepPlace(view.el);
    }
    if (view.el.parentNode !== anchor) { anchor.prepend(view.el); view.restore(); }
  };
  const leave = () => {
    view?.close();
    view?.el.remove();
    view = null;
  };
  // A view whose output goes away moves to the anchor as it is, with what the person was writing.
  const adopt = (orphan) => {
    if (view || !anchors.length) return false;
    view = orphan;
    return true;
  };
  const observer = new MutationObserver(look);
  observer.observe(document.body, { childList: true, subtree: true });
  return { look, adopt, close: () => { observer.disconnect(); leave(); } };
}

// Moving an element takes its focus away and scrolls all in it to the top; both are put back.
function keepPlace(el) {
  const [refocus, rescroll] = [keepFocus(el), keepScroll(el)];
  return () => { rescroll(); refocus(); };
}

// Where the element without focus is still there a moment later, a person took it away.
function keepFocus(el) {
  let last = null;
  el.addEventListener("focusin", (event) => { last = event.target; });
  el.addEventListener("focusout", () => setTimeout(() => {
    if (el.isConnected && !el.contains(document.activeElement)) last = null;
  }));
  return () => { if (last && isFocusNowhere()) refocus(last); };
}

function keepScroll(el) {
  const places = new Map();
  const note = ({ target }) => places.set(target, { top: target.scrollTop, left: target.scrollLeft, atEnd: isAtEnd(target) });
  el.addEventListener("scroll", note, { capture: true, passive: true });
  return () => {
    for (const [target, { top, left, atEnd }] of places) {
      if (!el.contains(target)) places.delete(target);
      else target.scrollTo({ top: atEnd ? target.scrollHeight : top, left, behavior: "instant" });
    }
  };
}
