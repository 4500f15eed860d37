package rule

// The rules that approval judges the files of a release by, together.
const (
	SetVaries ID = "set-varies"
	SetSize   ID = "set-size"
	SetSdist  ID = "set-sdist"
	SetHole   ID = "set-hole"
)

var setStories = map[ID]string{
	SetVaries: "The files of one release say different things of it, so that what is installed with it depends on the " +
		"platform. Some projects mean it, with dependencies of one system; a dependency that one wheel alone has can " +
		"also be one that somebody put there. PyPI shows for the release what the first file said.",
	SetSize: "PyPI takes files of up to 100 MiB and 10 GiB of a whole project, unless it raised the limit of this one. " +
		"An upload that meets the limit half way leaves half a release. Ask for a higher limit before you publish.",
	SetSdist: "A release without an sdist can be installed only where it has a wheel, and distributions that build from " +
		"source have nothing to build from. Later versions of wheels cannot be built from it either.",
	SetHole: "A Python or a platform that others have a wheel for has none here. Who installs there builds from the sdist, " +
		"or gets an older release without being told.",
}
