"use strict";
// Reads the numbers of a moment back from the paths of a chart, and says them under it.
for (const run of document.querySelectorAll(".run")) {
  const plot = run.querySelector(".plot"), readout = run.querySelector(".readout"), cursor = run.querySelector(".cursor");
  const { epoch, minutes, capacity } = Object.fromEntries(Object.entries(run.dataset).map(([k, v]) => [k, Number(v)]));
  let lines = null, reasons = null, at = 0;
  // "M0 4H0.5V7H1": pairs of a moment and the value from then on.
  const parse = d => {
    const points = [];
    let x = 0, y = 0;
    for (const [, letter, rest] of d.matchAll(/([MHVZ])([^MHVZ]*)/g)) {
      const numbers = rest.trim().split(/[ ,]+/).map(Number);
      if (letter === "M") [x, y] = numbers;
      else if (letter === "H") { x = numbers[0]; continue; }
      else if (letter === "V") y = numbers[0];
      else break;
      points.push([x, y]);
    }
    return points;
  };
  const value = points => {
    let low = 0, high = points.length;
    while (low < high) { const middle = (low + high) >> 1; points[middle][0] <= at ? low = middle + 1 : high = middle; }
    return low ? points[low - 1][1] : null;
  };
  const load = () => {
    if (lines) return;
    const path = name => parse(run.querySelector(name)?.getAttribute("d") ?? "");
    lines = { offered: path(".offered"), need: path(".need") };
    for (const box of run.querySelectorAll(".legend input")) lines[box.className.slice(2)] = path(".l-" + box.className.slice(2));
    reasons = [...run.querySelectorAll(".reasons li")].map(item => [Number(item.dataset.m), item]);
  };
  const show = minute => {
    load();
    at = Math.min(Math.max(minute, 0), minutes);
    cursor.style.display = "block";
    cursor.style.left = 100 * at / minutes + "%";
    const clock = new Date((epoch + at * 60) * 1000).toISOString().slice(5, 16).replace("T", " ");
    const hidden = name => { const box = run.querySelector(".c-" + name); return box && !box.checked; };
    readout.replaceChildren();
    const say = (name, number) => {
      const part = document.createElement("span"), bold = document.createElement("b");
      bold.textContent = number;
      part.append(name + " ", bold);
      readout.append(part, " ");
    };
    say(clock, "minute " + Math.floor(at));
    for (const [name, points] of Object.entries(lines)) {
      const number = value(points);
      if (number === null || hidden(name)) continue;
      say(name === "offered" ? "offered" : name, name === "offered" ? Math.round(number * capacity) + "/s" : number);
    }
    const reason = reasons.filter(([from]) => from <= at).at(-1);
    if (reason) {
      const why = document.createElement("div");
      why.append("Since ", ...[...reason[1].cloneNode(true).childNodes]);
      readout.append(why);
    }
    plot.setAttribute("aria-valuenow", Math.round(at));
    plot.setAttribute("aria-valuetext", readout.textContent);
  };
  const pointed = event => {
    const box = plot.getBoundingClientRect();
    show((event.clientX - box.left) / box.width * minutes);
  };
  plot.addEventListener("pointermove", pointed);
  plot.addEventListener("pointerdown", pointed);
  plot.addEventListener("focus", () => { if (cursor.style.display !== "block") show(reasons?.[0]?.[0] ?? 0); });
  plot.addEventListener("keydown", event => {
    load();
    const before = reasons.filter(([from]) => from < at - 1e-6).at(-1), after = reasons.find(([from]) => from > at + 1e-6);
    const to = {
      ArrowLeft: before ? before[0] : 0, ArrowRight: after ? after[0] : minutes,
      ArrowDown: at - minutes / 100, ArrowUp: at + minutes / 100, Home: 0, End: minutes,
      PageDown: at - minutes / 10, PageUp: at + minutes / 10,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(to);
  });
}
