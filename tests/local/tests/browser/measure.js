// Runs in a page as the body of a function: everything that is wrong with it, as texts. No more than what WCAG 2.2 AA asks for
// and a program can see: names, references, contrast, and room for a finger.
const wrong = [];
const all = [...document.body.querySelectorAll("*")];
const root = document.documentElement;

if (root.scrollWidth > root.clientWidth) wrong.push(`scrolls sideways: ${root.scrollWidth} > ${root.clientWidth}`);
if (document.querySelectorAll("h1").length !== 1) wrong.push("has not one h1");
if (document.querySelectorAll("script, [onclick]").length > 0) wrong.push("has scripts");
const ids = all.map((element) => element.id).filter((id) => id);
if (new Set(ids).size !== ids.length) wrong.push(`ids are not unique: ${ids}`);

for (const element of all) {
  for (const name of ["aria-describedby", "aria-labelledby", "for", "form"]) {
    for (const id of (element.getAttribute(name) ?? "").split(" ")) {
      if (id && !document.getElementById(id)) wrong.push(`${name} leads nowhere: ${id}`);
    }
  }
}

for (const field of document.querySelectorAll("input:not([type=hidden]), select")) {
  if (field.labels.length !== 1 || !field.labels[0].innerText.trim()) wrong.push(`no label: ${field.id}`);
  if (!field.autocomplete.startsWith("cc-")) wrong.push(`no autocomplete: ${field.id}`);
}
for (const control of document.querySelectorAll("button, a, input:not([type=hidden]), select")) {
  const room = control.getBoundingClientRect();
  const inText = control.closest(".faults");
  if (!inText && room.height < 44 && !control.closest("nav")) wrong.push(`too low: ${control.id} ${room.height}`);
  if (room.height < 24) wrong.push(`too low for a link: ${control.innerText} ${room.height}`);
  if (!control.labels?.length && !control.innerText.trim()) wrong.push(`no name: ${control.outerHTML}`);
}

const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
const light = (colour) => {
  const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const [red, green, blue] = numbers(colour).slice(0, 3).map(part);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if ((numbers(colour)[3] ?? 1) > 0) return colour;
  }
  return "rgb(255, 255, 255)";
};
for (const element of all) {
  const text = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
  if (!text) continue;
  const [one, other] = [getComputedStyle(element).color, behind(element)].map(light).sort((a, b) => b - a);
  const contrast = (one + 0.05) / (other + 0.05);
  if (contrast < 4.5) wrong.push(`contrast ${contrast.toFixed(2)}: ${element.outerHTML.slice(0, 80)}`);
}
return wrong;
