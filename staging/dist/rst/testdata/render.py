# Renders texts in reStructuredText as PyPI does, with docutils and the settings of
# readme_renderer 45. It reads a JSON string from each line, and writes one for each:
# "" where the text renders, or why it does not. The first line is docutils' version.
import io
import json
import sys
import warnings

import docutils
from docutils.core import publish_parts
from docutils.parsers.rst import roles
from docutils.utils import SystemMessage
from docutils.writers.html5_polyglot import HTMLTranslator, Writer

SETTINGS = dict(
    cloak_email_addresses=True, doctitle_xform=False, sectsubtitle_xform=False, initial_header_level=1,
    file_insertion_enabled=False, halt_level=2, math_output="MathJax /dummy.js", raw_enabled=False,
    report_level=5, smart_quotes=True, strip_comments=True, syntax_highlight="short", field_name_limit=0,
    section_self_link=True, id_prefix="user-content-", _disable_config=True)


class Translator(HTMLTranslator):
    object_image_types = {}

    def read_size_with_PIL(self, node):
        return None


def render(text):
    known = dict(roles._roles)  # docutils keeps the roles of a text for the next one
    writer = Writer()
    writer.translator_class = Translator
    try:
        parts = publish_parts(text, writer=writer, settings_overrides=dict(SETTINGS, warning_stream=io.StringIO()))
    except SystemMessage as message:
        return str(message)
    except Exception as error:
        return "failed: %r" % error
    finally:
        roles._roles.clear()
        roles._roles.update(known)
    return "" if parts["docinfo"] + parts["fragment"] else "No content rendered from RST source."


warnings.simplefilter("ignore")
print(json.dumps(docutils.__version__))
for line in sys.stdin:
    print(json.dumps(render(json.loads(line))))
