// Sorts a table when a heading is clicked or Enter is pressed on it: numbers by
// size, other texts by name, cells without a number last. A second time turns
// the order round.
(function () {
  "use strict";

  var scales = { k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 };

  // number returns what a cell's text begins with, or null.
  function number(text) {
    var match = /^\s*([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)([kMGTPE]?)/.exec(text);
    return match ? parseFloat(match[1]) * (scales[match[2]] || 1) : null;
  }

  function compare(a, b, sign) {
    var x = number(a), y = number(b);
    if (x === null && y === null) {
      return sign * a.localeCompare(b);
    }
    if (x === null || y === null) {
      return x === null ? 1 : -1;
    }
    return sign * (x - y);
  }

  function cell(row, column) {
    return row.cells[column] ? row.cells[column].textContent.trim() : "";
  }

  function sort(table, heading, column) {
    var descending = heading.getAttribute("aria-sort") === "ascending";
    var headings = table.querySelectorAll("th");
    for (var i = 0; i < headings.length; i++) {
      headings[i].removeAttribute("aria-sort");
    }
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    var body = table.tBodies[0];
    var rows = Array.prototype.slice.call(body.rows);
    rows.sort(function (a, b) {
      return compare(cell(a, column), cell(b, column), descending ? -1 : 1);
    });
    rows.forEach(function (row) {
      body.appendChild(row);
    });
  }

  function prepare(table) {
    Array.prototype.forEach.call(table.querySelectorAll("thead th"), function (heading, column) {
      heading.tabIndex = 0;
      heading.title = "sort";
      heading.addEventListener("click", function () {
        sort(table, heading, column);
      });
      heading.addEventListener("keydown", function (event) {
        if (event.key === "Enter") {
          sort(table, heading, column);
        }
      });
    });
  }

  Array.prototype.forEach.call(document.querySelectorAll("table.results"), prepare);
})();
