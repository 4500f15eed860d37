package rule

// The rules that publish judges by.

var publishStories = map[ID]string{}
