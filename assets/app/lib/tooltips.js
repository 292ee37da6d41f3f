// Tooltips of numbers in tables: each cell has that of its column.

/**
 * Give the cells of a table's body the tooltips of their columns, and return the table. Cells with one keep it.
 * @template {HTMLElement} T
 * @param {T} part the table, or an element around it
 */
export function titleCells(part) {
  const table = part instanceof HTMLTableElement ? part : part.querySelector("table");
  const heads = [...(table?.tHead?.rows[0]?.cells ?? [])].map(titleOf);
  for (const body of table?.tBodies ?? [])
    for (const row of body.rows)
      [...row.cells].forEach((cell, n) => {
        cell.title ||= heads[n] ?? "";
      });
  return part;
}

/** @param {HTMLElement} head */
function titleOf(head) {
  return head.title || (head.querySelector("[title]")?.getAttribute("title") ?? "");
}
