package audit

// questions are what no machine can check: they are asked of a person, and never
// hold by themselves.
var questions = []Rule{}
