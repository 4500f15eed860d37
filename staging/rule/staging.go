package rule

// The rules that staging judges by.

var stagingStories = map[ID]string{}
