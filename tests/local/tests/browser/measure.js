// Runs in a page as the body of a function. Returns the problems of the page as texts. It checks the rules of WCAG 2.2 AA that a
// program can check: names, references, contrast and target size.
const problems = [];
const all = [...document.body.querySelectorAll("*")];
const root = document.documentElement;

if (root.scrollWidth > root.clientWidth) problems.push(`scrolls sideways: ${root.scrollWidth} > ${root.clientWidth}`);
if (document.querySelectorAll("h1").length !== 1) problems.push("does not have exactly one h1");
if (document.querySelectorAll("script, [onclick]").length > 0) problems.push("has scripts");
const ids = all.map((element) => element.id).filter((id) => id);
if (new Set(ids).size !== ids.length) problems.push(`ids are not unique: ${ids}`);

for (const element of all) {
  for (const name of ["aria-describedby", "aria-labelledby", "for", "form"]) {
    for (const id of (element.getAttribute(name) ?? "").split(" ")) {
      if (id && !document.getElementById(id)) problems.push(`${name} refers to an unknown id: ${id}`);
    }
  }
}

for (const field of document.querySelectorAll("input:not([type=hidden]), select")) {
  if (field.labels.length !== 1 || !field.labels[0].innerText.trim()) problems.push(`no label: ${field.id}`);
  if (!field.autocomplete.startsWith("cc-")) problems.push(`no autocomplete: ${field.id}`);
}
for (const control of document.querySelectorAll("button, a, input:not([type=hidden]), select")) {
  const size = control.getBoundingClientRect();
  const inText = control.closest(".errors");
  if (!inText && size.height < 44 && !control.closest("nav")) problems.push(`height below 44: ${control.id} ${size.height}`);
  if (size.height < 24) problems.push(`height below 24: ${control.innerText} ${size.height}`);
  if (!control.labels?.length && !control.innerText.trim()) problems.push(`no name: ${control.outerHTML}`);
}

const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
const luminance = (colour) => {
  const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const [red, green, blue] = numbers(colour).slice(0, 3).map(linear);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const background = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if ((numbers(colour)[3] ?? 1) > 0) return colour;
  }
  return "rgb(255, 255, 255)";
};
for (const element of all) {
  const hasText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
  if (!hasText) continue;
  const [lighter, darker] = [getComputedStyle(element).color, background(element)].map(luminance).sort((a, b) => b - a);
  const contrast = (lighter + 0.05) / (darker + 0.05);
  if (contrast < 4.5) problems.push(`contrast ${contrast.toFixed(2)}: ${element.outerHTML.slice(0, 80)}`);
}
return problems;
