// The chart that is on the screen as a file: its drawing, its title above, its source below.
// No server and no network; all text goes in by textContent.
const SVG = "http://www.w3.org/2000/svg";
const LINE = 17, SMALL = 14, EDGE = 12;

function wrapped(text, most) {
  const lines = [];
  for (const word of text.split(" ")) {
    const last = lines.length - 1;
    if (last >= 0 && (lines[last] + " " + word).length <= most) lines[last] += " " + word;
    else lines.push(word);
  }
  return lines;
}

function written(lines, y, step, size, weight, colour) {
  return lines.map((line, place) => {
    const text = document.createElementNS(SVG, "text");
    text.setAttribute("x", EDGE);
    text.setAttribute("y", y + step * place);
    text.setAttribute("style",
      `font: ${weight} ${size}px "Source Sans", "Source Sans 3", Arial, sans-serif; fill: ${colour}`);
    text.textContent = line;
    return text;
  });
}

function drawing(key, title, source) {
  const plot = document.querySelector(`.st-key-${key} .js-plotly-plot`);
  const sheets = plot ? [...plot.querySelectorAll(".main-svg")] : [];
  if (!sheets.length) return null;
  const width = Number(sheets[0].getAttribute("width"));
  const height = Number(sheets[0].getAttribute("height"));
  const page = getComputedStyle(document.querySelector(".stApp") || document.body);
  const heading = wrapped(title, Math.floor((width - 2 * EDGE) / 8.2));
  const footing = wrapped(source, Math.floor((width - 2 * EDGE) / 5.6));
  const top = EDGE + LINE * heading.length + 4;
  const all = top + height + SMALL * footing.length + EDGE;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("xmlns", SVG);
  svg.setAttribute("xmlns:xlink", "http://www.w3.org/1999/xlink");
  svg.setAttribute("width", width);
  svg.setAttribute("height", all);
  svg.setAttribute("viewBox", `0 0 ${width} ${all}`);
  svg.setAttribute("role", "img");
  const name = document.createElementNS(SVG, "title");
  name.textContent = title;
  const ground = document.createElementNS(SVG, "rect");
  ground.setAttribute("width", width);
  ground.setAttribute("height", all);
  ground.setAttribute("fill", page.backgroundColor);
  const body = document.createElementNS(SVG, "g");
  body.setAttribute("transform", `translate(0, ${top})`);
  for (const sheet of sheets) {
    const copy = sheet.cloneNode(true);
    copy.querySelectorAll(".hoverlayer, .zoomlayer, .draglayer, .select-outline").forEach(
      (each) => each.remove());
    copy.style.background = "none";
    copy.removeAttribute("class");
    body.appendChild(copy);
  }
  svg.append(name, ground, body,
    ...written(heading, EDGE + LINE - 3, LINE, 15, 600, page.color),
    ...written(footing, top + height + SMALL, SMALL, 11, 400, page.color));
  return { text: new XMLSerializer().serializeToString(svg), width, height: all };
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function asPng({ text, width, height }, scale, done) {
  const picture = new Image();
  picture.onload = () => {
    const canvas = document.createElement("canvas");
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.drawImage(picture, 0, 0, width, height);
    canvas.toBlob(done, "image/png");
  };
  picture.src = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
}

export default function ({ parentElement, data }) {
  const said = parentElement.querySelector("[role=status]");
  for (const button of parentElement.querySelectorAll("button")) {
    button.onclick = () => {
      const drawn = drawing(data.key, data.title, data.source);
      said.textContent = drawn ? "" : "The chart is not drawn yet; try again.";
      if (!drawn) return;
      if (button.dataset.as === "svg") {
        save(new Blob([drawn.text], { type: "image/svg+xml" }), `${data.name}.svg`);
      } else {
        asPng(drawn, 3, (blob) => save(blob, `${data.name}.png`));
      }
    };
  }
}
