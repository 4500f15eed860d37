package rst

// kind is what a node is, as far as a rule asks for it.
type kind int

const (
	element kind = iota // any other, and what holds the nodes of a directive for a while
	document
	section
	title
	paragraph
	bulletList
	listItem
	enumeratedList
	fieldList
	fieldBody
	table
	transition
	comment
	substitution // its definition
	target
	pending // what a transform puts something in the place of
	meta
	sidebar
	body // anything else that stands in a body, and its parts
	message

	text // and these are inline
	inline
	image
	reference
	footnoteReference
	inlineTarget
)

// node is a part of the document.
type node struct {
	kind     kind
	parent   *node
	children []*node
	line     int
	name     string // of a field, or the text of what is inline
	raw      []line // of a field's body
	cols     int    // of a table
	unique   bool   // it has a name or an id
	auto     bool   // a reference to what has no name: anonymous, or a numbered footnote
	empty    bool   // a comment with nothing in it
}

func (n *node) add(child *node) *node {
	child.parent = n
	n.children = append(n.children, child)
	return child
}

// kept are the children that are left when comments and what was pending are gone.
func (n *node) kept() (all []*node) {
	for _, c := range n.children {
		if c.kind != comment && c.kind != pending {
			all = append(all, c)
		}
	}
	return all
}

func (n *node) isInline() bool { return n.kind >= text }

// level is how many sections a node is in, itself among them.
func (n *node) level() (count int) {
	for ; n != nil; n = n.parent {
		if n.kind == section {
			count++
		}
	}
	return count
}

// invisible are nodes that leave no trace where they stand.
func (n *node) invisible() bool {
	switch n.kind {
	case comment, substitution, target, pending:
		return true
	}
	return false
}

// shows tells whether anything of a document is shown. Of targets alone it is not
// sure.
func (n *node) shows() (shows, sure bool) {
	sure = true
	for _, c := range n.children {
		if !c.invisible() && c.kind != message && c.kind != meta {
			return true, true
		}
		sure = sure && (c.kind != target || !c.unique)
	}
	return false, sure
}

// follows tells whether anything visible comes after a node, in it or around it.
func (n *node) follows() bool {
	for ; n.parent != nil; n = n.parent {
		seen := false
		for _, c := range n.parent.children {
			if seen && !c.invisible() && c.kind != message {
				return true
			}
			seen = seen || c == n
		}
	}
	return false
}
