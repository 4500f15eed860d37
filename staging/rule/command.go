package rule

// The rules that command judges by.

var commandStories = map[ID]string{}
