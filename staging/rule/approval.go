package rule

// The rules that approval judges by.

var approvalStories = map[ID]string{}
