// Numbers and times in words. Pure.

export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min${minutes < 10 && whole % 60 ? ` ${whole % 60} s` : ""}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
  return `${Math.floor(hours / 24)} days`;
}

export function ago(at, now) {
  const seconds = Math.max(0, now - at);
  if (seconds < 60) return `${Math.round(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}

export function clock(at) {
  return new Date(at * 1000).toLocaleString(undefined, {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
}

export function day(at) {
  return new Date(at * 1000).toLocaleString(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
}

export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

export function number(value) {
  return value.toLocaleString("en", { maximumFractionDigits: 2 });
}

export function plural(count, noun) {
  return `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
}

// The line under the headline that ticks: how long it ran, and when Devin last said something.
export function tempo(state, now) {
  const words = [];
  const isOver = state.ended || state.turn_over;
  if (state.started && state.ended) words.push(`took ${duration(state.ended - state.started)}`);
  if (state.started && !isOver) words.push(`${duration(now - state.started)} so far`);
  if (state.last_word && !isOver) words.push(`last word ${ago(state.last_word, now)}`);
  return words.join(" · ");
}

export function trouble(state, now) {
  if (!state.trouble) return "";
  const { seen, problem } = state.trouble;
  return ["reconnecting", seen ? `, last seen ${ago(seen, now)}` : ", not seen yet", problem ? ` (${problem})` : ""].join("");
}
