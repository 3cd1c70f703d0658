package tasks

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// A Request is one text that a model scores: one choice of one item.
type Request struct {
	Item         string `json:"item"`   // Item.ID
	Choice       int    `json:"choice"` // which choice of the item this is, from 0
	Gold         int    `json:"gold"`   // which choice is right
	Context      string `json:"context"`
	Continuation string `json:"continuation"` // with its delimiter
}

// Requests lists what would be scored, item by item and choice by choice in
// file order. What stands before an item is part of its contexts.
func Requests(items []Item) []Request {
	var requests []Request
	for _, item := range items {
		for i, choice := range item.Choices {
			requests = append(requests, Request{item.ID, i, item.Gold, item.Before + choice.Context, choice.Continuation})
		}
	}
	return requests
}

// Digest is the SHA-256, in hexadecimal, of everything a model is shown of
// items: for each request its context, 0x1F, its continuation, 0x1E. A request
// that has only one of the two, a prompt or a whole text, is it and 0x1E.
func Digest(items []Item) string {
	sum := sha256.New()
	for _, item := range items {
		border := "\x1f"
		if len(item.Answers) > 0 || item.Bytes > 0 {
			border = ""
		}
		for _, choice := range item.Choices {
			io.WriteString(sum, item.Before)
			io.WriteString(sum, choice.Context+border+choice.Continuation+"\x1e")
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}
