package rule

// The rules that dist judges by.

var distStories = map[ID]string{}
