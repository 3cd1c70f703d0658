package kernels

import "fmt"

// Embedding copies row ids[r] of table [v, c] to row r of dst [t, c]; t is
// len(ids). It panics if lengths do not fit or an id is not a row of table.
func Embedding(dst, table []float32, ids []int32) {
	c := embeddingWidth(dst, table, ids, "Embedding")
	embeddingPieces.run(len(ids), rowsPerTask(c), embeddingCall{dst, table, ids})
}

type embeddingCall struct {
	rows, table []float32
	ids         []int32
}

var embeddingPieces = inPieces(func(a *embeddingCall, from, to int) {
	c := len(a.rows) / len(a.ids)
	for r := from; r < to; r++ {
		copy(a.rows[r*c:(r+1)*c], a.table[int(a.ids[r])*c:])
	}
})

// EmbeddingBack adds row r of dy [t, c] to row ids[r] of dtable [v, c]. Rows
// that share an id are added in their order in dy, for any number of workers:
// tasks divide the columns. It panics if lengths do not fit or an id is not a
// row of dtable.
func EmbeddingBack(dtable, dy []float32, ids []int32) {
	c := embeddingWidth(dy, dtable, ids, "EmbeddingBack")
	embeddingBackPieces.run(c, columnsPerTask(len(ids), c), embeddingCall{dy, dtable, ids})
}

var embeddingBackPieces = inPieces(func(a *embeddingCall, from, to int) {
	add, c := adders.get(), len(a.rows)/len(a.ids)
	for r, id := range a.ids {
		add(a.table[int(id)*c+from:int(id)*c+to], a.rows[r*c+from:r*c+to])
	}
})

func embeddingWidth(rows, table []float32, ids []int32, kernel string) int {
	if len(ids) == 0 {
		mustFit(len(rows) == 0, kernel)
		return 0
	}
	mustFit(len(rows) > 0 && len(rows)%len(ids) == 0, kernel)
	c := len(rows) / len(ids)
	mustFit(len(table)%c == 0, kernel)
	for _, id := range ids {
		mustBelow(id, 0, len(table)/c, kernel)
	}
	return c
}

// columnsPerTask cuts a sum over rows of width c into tasks of about a grain,
// each of a whole number of cache lines of columns and never below four lines.
func columnsPerTask(rows, c int) int {
	columns := grain / max(1, rows) / lanes * lanes
	return min(max(columns, 4*lanes), max(c, 1))
}

// mustBelow panics in the name of kernel when id is not in [least, n).
func mustBelow(id int32, least, n int, kernel string) {
	if int(id) < least || int(id) >= n {
		panic(fmt.Sprintf("kernels.%s: id %d is not in [%d, %d)", kernel, id, least, n))
	}
}
