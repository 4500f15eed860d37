package approval

// The keys of the tests within the package, for those that see it from outside.
var (
	NewKey         = newKey
	NewSecurityKey = newSecurityKey
)
