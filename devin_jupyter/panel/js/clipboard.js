// The clipboard. Pages without TLS have none but the old one, which copies what is selected.
import { h } from "./dom.js";

export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = h("textarea", { class: "dv-hidden", "aria-hidden": "true" });
    field.value = text;
    const held = document.activeElement;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    held?.focus({ preventScroll: true });
    return done;
  }
}
