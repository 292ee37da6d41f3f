"""Numbers on the page of the app, and whether a tooltip says what they are."""

from __future__ import annotations

from typing import Any

UNEXPLAINED = r"""() => {
  const number = /^[~±+−-]?\d[\d.,]*( ?[%×x]| px| s| ms| [kMG]?B)?( ?± ?[\d.,]+( ?%)?)?$/;
  const fields = "input, select, option, textarea, .segments, h1, h2, h3";
  const left_out = `${fields}, pre, code, script, style, svg, .code`;
  const found = [];
  const walker = document.createTreeWalker(document.querySelector(".dsel"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.textContent.trim();
    const element = node.parentElement;
    if (!number.test(text) || element.closest(left_out) || !element.checkVisibility()) continue;
    if (element.closest("[title]")?.title.includes(" ")) continue; // a lone word is a name
    found.push(`${text} in ${path(element)}`);
  }
  return [...new Set(found)];

  function path(element) {
    const parts = [];
    for (let one = element; one && parts.length < 4; one = one.parentElement) {
      parts.unshift([one.tagName.toLowerCase(), ...one.classList].join("."));
    }
    return parts.join(" > ");
  }
}"""
"""Returns the numbers in sight that have no tooltip, each with the elements that it is in."""


def unexplained(page: Any) -> list[str]:
    """The numbers in sight that stand alone in an element without a tooltip.

    Numbers in sentences explain themselves, and those in fields have a label.
    """
    return list(page.evaluate(UNEXPLAINED))
