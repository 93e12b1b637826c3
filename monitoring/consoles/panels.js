// Reads the courses of all panels from Prometheus and draws them; makes a grid of the table of regions.
async function asked(list) {
  const given = new URLSearchParams({ query: list.dataset.query, start: start, end: end, step: step });
  const answer = await (await fetch(page.api + "?" + given)).json();
  if (answer.status !== "success") throw new Error(answer.error);
  return answer.data.result.map(function (series) {
    const values = new Map(series.values.map(function (pair) { return [pair[0], Number(pair[1])]; }));
    return { labels: series.metric, name: named(list.dataset.legend, series.metric), values: values };
  });
}

async function course(figure) {
  const chart = figure.querySelector(".chart"), lists = Array.from(figure.querySelectorAll("[data-query]"));
  try {
    const series = (await Promise.all(lists.map(asked))).flat(), last = times[times.length - 1];
    // As the list of values, so that colours fit and the greatest are drawn where there are many.
    const items = Array.from(figure.querySelectorAll("li"));
    const order = items.map(function (item) { const name = item.querySelector(".name"); return name ? name.textContent : ""; });
    const place = function (one) { const found = order.indexOf(one.name); return found < 0 ? order.length : found; };
    const kept = figure.dataset.kind === "heatmap" ? series : series.sort(function (a, b) { return place(a) - place(b) || (b.values.get(last) || 0) - (a.values.get(last) || 0); }).slice(0, most);
    kept.forEach(function (one, index) {
      const item = items[place(one)], swatch = item && item.querySelector(".swatch");
      if (swatch) swatch.style.background = "var(--c" + index % 8 + ")";
    });
    figure.dataset.course = "drawn";
    if (!kept.length) { chart.replaceChildren(); return; }
    draw(figure, chart, kept);
    drawn.push([figure, chart, kept]);
  } catch (fault) {
    chart.textContent = "The course cannot be read: " + fault.message;
    figure.dataset.course = "failed";
  }
}

// A table of home, host and value becomes a grid of home by host; without this script it stays a table.
function grid(table) {
  const rows = Array.from(table.querySelectorAll("tbody tr[data-value]")).map(function (row) {
    const has = function (label) { const cell = row.querySelector("[data-label=" + label + "]"); return cell ? cell.textContent : ""; };
    return { home: has("home"), host: has("host"), value: Number(row.dataset.value), text: row.querySelector(".value").textContent, state: row.className };
  });
  if (!rows.length) return;
  const homes = Array.from(new Set(rows.map(function (row) { return row.home; }))).sort();
  const hosts = Array.from(new Set(rows.map(function (row) { return row.host; }))).sort();
  const highest = Math.max.apply(null, rows.map(function (row) { return row.value; }));
  const made = document.createElement("table"), head = made.createTHead().insertRow(), body = made.createTBody();
  made.className = "grid";
  function heading(row, text, scope) {
    const cell = document.createElement("th");
    cell.scope = scope;
    cell.textContent = text;
    row.append(cell);
  }
  heading(head, "home \u25BE  host \u25B8", "col");
  hosts.forEach(function (host) { heading(head, host, "col"); });
  homes.forEach(function (home) {
    const line = body.insertRow();
    heading(line, home, "row");
    hosts.forEach(function (host) {
      const found = rows.find(function (row) { return row.home === home && row.host === host; }), cell = line.insertCell();
      if (!found) return;
      cell.textContent = found.value > 0 ? String(Number(found.value.toPrecision(2))) : "\u00B7";
      cell.title = home + " at " + host + ": " + found.text;
      const share = highest > 0 ? Math.round(55 * Math.sqrt(found.value / highest)) : 0;
      cell.style.background = "color-mix(in srgb, var(--c0) " + share + "%, transparent)";
    });
  });
  table.replaceWith(made);
}

document.querySelectorAll(".matrix table").forEach(grid);
document.querySelectorAll("figure .chart").forEach(function (chart) { course(chart.closest("figure")); });
let waits = 0;
addEventListener("resize", function () {
  clearTimeout(waits);
  waits = setTimeout(function () { drawn.forEach(function (one) { draw(one[0], one[1], one[2]); }); }, 150);
});
