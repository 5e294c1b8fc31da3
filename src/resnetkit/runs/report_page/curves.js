/** Learning curves: a line at one epoch through all charts, with the values there; and a log scale. */

const SVG = "http://www.w3.org/2000/svg";
const HISTORY = DATA.history;

const written = {
  number: (value) => (value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(2) : value.toPrecision(4)),
  percent: (value) => percent(value, 2),
};

/** A chart that tells its values at an epoch, and which epoch a pointer is at. */
class Curve {
  constructor(figure) {
    const [low, high, start, end] = figure.dataset.axis.split(" ").map(Number);
    this.place = (epoch) => start + ((epoch - low) / (high - low)) * (end - start);
    this.epochAt = (x) => low + ((x - start) / (end - start)) * (high - low);
    this.lines = figure.dataset.values.split(" ").map((pair) => pair.split("="));
    this.write = written[figure.dataset.form];
    this.readout = figure.querySelector(".readout");
    this.readout.hidden = false;
    this.pointers = [...figure.querySelectorAll("svg")].map((svg) => {
      const pointer = document.createElementNS(SVG, "path");
      pointer.setAttribute("class", "pointer");
      svg.append(pointer);
      return pointer;
    });
  }

  show({ epoch, ...values }) {
    for (const pointer of this.pointers) pointer.setAttribute("d", `M${this.place(epoch)},32V190`);
    const told = this.lines.filter(([, key]) => Number.isFinite(values[key]));
    const said = told.map(([name, key]) => `${name} ${this.write(values[key])}`).join(", ");
    this.readout.textContent = `epoch ${epoch}: ${said || "not measured"}`;
  }
}

function followEpochs(section) {
  const figures = [...section.querySelectorAll("figure.curve")];
  const curves = figures.map((figure) => new Curve(figure));
  const slider = byId("epoch");
  const show = () => {
    const row = HISTORY[slider.value];
    byId("epoch-number").textContent = row.epoch;
    slider.setAttribute("aria-valuetext", `epoch ${row.epoch}`);
    for (const curve of curves) curve.show(row);
  };
  slider.addEventListener("input", show);
  figures.forEach((figure, i) =>
    figure.addEventListener("pointermove", (event) => {
      const svg = event.target.closest("svg");
      if (!svg) return;
      const { left, width } = svg.getBoundingClientRect();
      const wanted = curves[i].epochAt(((event.clientX - left) / width) * svg.viewBox.baseVal.width);
      const far = HISTORY.map(({ epoch }) => Math.abs(epoch - wanted));
      slider.value = far.indexOf(Math.min(...far));
      show();
    }),
  );
  byId("log-scale").addEventListener("change", ({ target }) => {
    for (const figure of figures) {
      const log = figure.querySelector(".log-scale");
      if (!log) continue;
      log.hidden = !target.checked;
      figure.querySelector(".plain-scale").hidden = target.checked;
    }
  });
  show();
}

if (byId("curves")) followEpochs(byId("curves"));
