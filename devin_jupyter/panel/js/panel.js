// The widget of one session. One state, one draw; the conversation arrives beside it, in chunks.
import { channelOf } from "./channel.js";
import { chatStore } from "./chat.js";
import { h } from "./dom.js";
import { keepFocus, settle } from "./home.js";
import { sessionView } from "./session.js";

export default () => {
  const chat = chatStore();
  const shown = new Set();
  let place = null;

  // Of the two faces of the model only the one of `initialize` lives as long as the widget: the other is deaf after its view.
  let model = null;

  const liveView = () => {
    const channel = channelOf(model);
    const view = sessionView(channel, chat);
    const el = h("div", { class: "dv-live" }, view.el);
    const draw = () => view.update(model.get("state"));
    model.on("change:state", draw);
    draw();
    const close = () => {
      model.off("change:state", draw);
      view.close();
      channel.close();
    };
    return { el, close, refocus: keepFocus(el) };
  };

  return {
    initialize(context) {
      model = context.model;
      model.on("msg:custom", chat.take);
      place = settle(model.get("home"), liveView, () => shown.size > 0);
      place.look();
      return () => {
        model.off("msg:custom", chat.take);
        place.close();
      };
    },
    render({ el }) {
      const view = liveView();
      el.append(view.el);
      shown.add(view);
      place?.look();
      return () => {
        shown.delete(view);
        if (shown.size || !place?.adopt(view)) view.close();
        place?.look();
      };
    },
  };
};
