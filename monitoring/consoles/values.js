// What the page is about, and how its numbers and times are written.
const page = document.documentElement.dataset;
const seconds = Number(page.seconds), end = Number(page.now), start = end - seconds;
const points = 150, step = Math.max(1, Math.round(seconds / points));
const most = 16;
const height = 150, left = 52, bottom = 18, top = 8;
const drawn = [];

function made(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== undefined) element.textContent = text;
  return element;
}

function scaled(value, base, names) {
  let at = 0;
  while (Math.abs(value) >= base && at < names.length - 1) { value /= base; at += 1; }
  return Number(value.toPrecision(3)) + names[at];
}

function shown(value, unit) {
  if (value === 0) return "0";
  if (unit === "percentunit") return Number((value * 100).toPrecision(3)) + "%";
  if (unit === "bytes") return scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
  if (unit === "s") {
    const size = Math.abs(value);
    if (size < 0.001) return Number((value * 1e6).toPrecision(3)) + "µs";
    if (size < 1) return Number((value * 1e3).toPrecision(3)) + "ms";
    if (size < 120) return Number(value.toPrecision(3)) + "s";
    if (size < 7200) return Number((value / 60).toPrecision(3)) + "min";
    return size < 172800 ? Number((value / 3600).toPrecision(3)) + "h" : Number((value / 86400).toPrecision(3)) + "d";
  }
  if (Math.abs(value) < 0.01) return value.toExponential(1);
  return scaled(value, 1000, ["", "k", "M", "G"]) + (unit === "ops" ? "/s" : "");
}

function clock(time) {
  const date = new Date(time * 1000);
  return (seconds > 172800 ? date.toISOString().slice(5, 10) + " " : "") + date.toISOString().slice(11, 16);
}

function named(legend, labels) {
  return legend.replace(/\{\{\s*(\w+)\s*\}\}/g, function (whole, label) { return labels[label] || ""; });
}
