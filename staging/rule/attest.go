package rule

// The rules that attest judges by.

var attestStories = map[ID]string{}
