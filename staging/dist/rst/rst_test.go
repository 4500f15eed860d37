package rst_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/distgate/distgate/staging/dist/rst"
)

// texts are such with what is to be said of each first: "" where PyPI renders it, and
// "? …" where that is not decided. The test of peers holds docutils against them.
func texts() map[string]string {
	all := map[string]string{}
	for _, table := range []map[string]string{paragraphs, titles, lists, markup, references, explicits, directives, tables} {
		for text, want := range table {
			all[text] = want
		}
	}
	return all
}

var paragraphs = map[string]string{
	"A paragraph\nof two lines.\n":                       "",
	"\tA quote,\n\tby a tab.\n":                          "",
	"A line\n  of a term\nand text.\n":                   "Definition list ends without a blank line",
	"A line,\na second\n  and one indented.\n":           "Unexpected indentation",
	"  A quote\nand text.\n":                             "Block quote ends without a blank line",
	"  A quote.\n\n  -- Ann\n\n  Another.\n":             "",
	"  A quote.\n\n  -- Ann\n     of Bern\n  and *Bob\n": "Definition list ends without a blank line",
	"  A quote.\n\n  -- Ann\n  and *Bob\n":               "Inline emphasis start-string without end-string",
	"Code::\n\n  *x\n\nText.\n":                          "",
	"Code ::\n\n  `x\n":                                  "",
	"::\n\n  |x\n":                                       "",
	"Code::\n\n> x\n> y\n\nText.\n":                      "",
	"Code::\n\n> x\n  y\n":                               "Unexpected indentation",
	"Code::\n\n> x\n* y\n":                               "Inconsistent literal block quoting",
	"Code::\n\nText.\n":                                  "Literal block expected; none found",
	"Code::\n":                                           "Literal block expected; none found",
	"Code::\n\n  x\nText.\n":                             "Literal block ends without a blank line",
	"No code\\::\n\nText.\n":                             "",
	">>> x = '*'\n>>> y\n\nText.\n":                      "",
	"| One *line*\n| and\n  its rest\n\nText.\n":         "",
	"| One line\nText.\n":                                "Line block ends without a blank line",
	"| One *line\n":                                      "Inline emphasis start-string",
	"":                                                   "No content rendered",
	"\n\n":                                               "No content rendered",
	".. Nothing but a comment.\n":                        "No content rendered",
	".. _a: https://example.org\n":                       "No content rendered",
	".. _a:\n":                                           "? There are targets and no text",
	".. |a| image:: a.png\n\n.. meta::\n   :a: b\n":      "No content rendered",
	strings.Repeat("long ", 2000) + "\n":                 "",
	strings.Repeat("long ", 2001) + "\n":                 "The line is longer than 10000 characters",
	"    a\n  b\n":                                       "Block quote ends without a blank line",
	"\u00a0A line\nthat begins with a hard space.\n":     "",
	"One\u2028Two\u2028  three\n":                        "Unexpected indentation",
	"A\fform\vfeed\n":                                    "",
	strings.Repeat("a\n\n", 500):                         "",
	"Lines\r\nof Windows\r\n  go on.\r\n":                "Unexpected indentation",
}

var titles = map[string]string{
	"Title\n=====\n\nText.\n\nSub\n---\n\nOther\n=====\n": "",
	"Title\n=======\n":                             "",
	"=====\nTitle\n=====\n\n Sub\n----\n":          "Block quote ends without a blank line",
	"=======\n Title\n=======\n\nText.\n":          "",
	"Titles\n====\n":                               "Title underline too short",
	"Titles\n===\n":                                "",
	"Titel über\n==========\n":                     "",
	"日本語\n======\n":                                "",
	"日本語\n=====\n":                                 "Title underline too short",
	"e\u0301e\u0301e\u0301e\u0301\n====\n":         "",
	"====\nTitle\n====\n":                          "Title overline too short",
	"=====\nTitle\n-----\n":                        "Title overline & underline mismatch",
	"=====\nTitle\n====\n":                         "Title overline & underline mismatch",
	"=====\nTitle\n\nText.\n":                      "Missing matching underline for section title overline",
	"=====\nTitle\n":                               "Incomplete section title",
	"=====\n-----\n":                               "Invalid section title or transition marker",
	"===\nTitle\n":                                 "",
	"==\nTitle\n==\n":                              "",
	"A\n=\n\nB\n-\n\nC\n~\n\nD\n=\n\nE\n~\n":       "Inconsistent title style: skip from level 1 to 3",
	"=\nA\n=\n\nB\n=\n\nC\n-\n\nD\n=\n\n=\nE\n=\n": "",
	"- A title\n  =======\n":                       "Unexpected section title",
	"- Text.\n\n  -------\n":                       "Unexpected section title or transition",
	"- Text.\n\n  ---\n":                           "",
	"Text.\n\n-----\n\nText.\n":                    "",
	"Text.\n\n---\n\nText.\n":                      "",
	"-----\n\nText.\n":                             "Transition at the start",
	"Text.\n\n-----\n":                             "Transition at the end of the document",
	"Text.\n\n-----\n\n-----\n\nText.\n":           "At least one body element should separate transitions",
	"Title\n=====\n\nText.\n\n-----\n\nOther\n=====\n\nText.\n":           "",
	"Title\n=====\n\n-----\n\nText.\n":                                    "Transition at the start",
	"Title\n=====\n\nSub\n---\n\nText.\n\n-----\n\nSub 2\n---\n\nText.\n": "",
	"Twice\n=====\n\nTwice\n=====\n":                                      "",
	"Twice\n=====\n\nTwice_\n\nTwice\n=====\n":                            "Duplicate target name, cannot be used as a unique reference",
	"Once\n====\n\nSee once_ and `ONCE`_.\n":                              "",
	":Author: Ann\n:Version: 1.0\n:Whatever: - a\n":                       "",
	":Version:\n\nText.\n":                                                "Cannot extract empty bibliographic field",
	":Version: - 1\n":                                                     "must contain a single <paragraph>",
	".. A comment.\n\n:Version: - 1\n":                                    "must contain a single <paragraph>",
	"Text.\n\n:Version: - 1\n":                                            "",
	":Authors: - Ann\n          - Bob\n":                                  "",
	":Authors: - Ann\n\n            and\n":                                "Cannot extract",
	":Abstract: a\n:Abstract: b\n":                                        "There can only be one",
	":Author: E. Xample\n:Date: 2001\n":                                   "? The field \"Author\" is a list by its form",
}

var lists = map[string]string{
	"- a\n- b\n\n  - c\n\n* d\n":   "",
	"- a\n- b\n\n  - c\n\n\n* d\n": "",
	"- a\nText.\n":                 "Bullet list ends without a blank line",
	"- a\n b\n":                    "Bullet list ends without a blank line",
	"- a\n  - b\n":                 "",
	"- a\n\n  b\n    c\n":          "",
	"• a\n‣ b\n":                   "Bullet list ends without a blank line",
	"1. a\n2. b\n\n#. c\n":         "",
	"1. a\n3. b\n":                 "",
	"1. a\nText.\n":                "",
	"1. a\n   b\nText.\n":          "Enumerated list ends without a blank line",
	"a) x\nb) y\n":                 "",
	"(i) x\n(ii) y\n(iv) z\n":      "Enumerated list ends without a blank line",
	"(i) x\n(ii) y\n\n(iv) z\n":    "",
	"I. x\nII. y\nIII. z\nText.\n": "Enumerated list ends without a blank line",
	"A. Einstein was\nhere.\n":     "",
	"iix. no number\nof Rome\n":    "",
	"5. five\n6. six\n":            "",
	":a: b\n:c d: e\n  f\n":        "",
	":a: b\nText.\n":               "Field list ends without a blank line",
	":a*b: c\n":                    "",
	":*b: c\n":                     "Inline emphasis start-string",
	":a:b: c\n":                    "",
	"-a, --all  what\n--b=FILE  more\n/V  slash\n": "",
	"-a  what\nText.\n":                            "Option list ends without a blank line",
	"-a\n\nText.\n":                                "",
	"-a\n  what\n":                                 "",
	"term\n  what *it is\n":                        "Inline emphasis start-string",
	"term : of class\n  what\nother\n  more\n":     "",
	"term\n  what\nText.\n":                        "Definition list ends without a blank line",
	"term\n  what\n\n1. a\nb\n":                    "",
	strings.Repeat("- ", 45) + "deep\n":            "? There are more than 40 blocks",
	"- a\n\n\n- b\n\n.. note::\n\n   c\n":          "",
}

var markup = map[string]string{
	"*a* **b** ``c`` `d` |e| \n\n.. |e| replace:: f\n": "",
	"2 * 3 * 4 and 2*3*4, a*, (*), \"*\" and *\n":      "",
	"*args and **kwargs\n":                             "Inline emphasis start-string without end-string",
	"**kwargs\n":                                       "Inline strong start-string",
	"``code`\n":                                        "Inline literal start-string",
	"`text\n":                                          "Inline interpreted text or phrase reference start-string",
	"`text``\n":                                        "",
	"|text\n":                                          "Inline substitution_reference start-string",
	"a|b and a || b\n":                                 "",
	"_`text\n":                                         "Inline target start-string",
	"\\*args, \\`text and \\|text\n":                   "",
	"*a*b\n":                                           "Inline emphasis start-string",
	"*a*\\ b\n":                                        "",
	"*a *\n":                                           "Inline emphasis start-string",
	"„*“ and «*» and ’*’ and ”*”\n": "",
	"§*a*\n": "",
	"·*a\n":  "Inline emphasis start-string",
	":code:`x` :sup:`2` :math:`a_b` `a`:emphasis:\n": "",
	":py:class:`x`\n":                      "Unknown interpreted text role \"py:class\"",
	"`x`:ref:\n":                           "Unknown interpreted text role \"ref\"",
	"a:ref:`x`\n":                          "",
	":a:`x`:b:\n":                          "Multiple roles in interpreted text",
	":code:`x`_\n":                         "Mismatch: both interpreted text role",
	":pep:`8` :pep:`9999` :rfc:`2822#s`\n": "",
	":pep:`x`\n":                           "PEP number must be",
	":rfc:`0`\n":                           "RFC number must be",
	":raw:`x`\n":                           "raw (and derived) roles disabled",
	":index:`x`\n":                         "not implemented",
	".. role:: own\n\n:own:`x`\n":          "",
	".. role:: own(code)\n   :language: python\n\n:own:`x`\n":  "",
	".. role:: own(code)\n   :language: klingon\n\n:own:`x`\n": "? The role \"own\" is of code",
	".. role:: own(raw)\n   :format: html\n\nText.\n":          "",
	".. role:: own(raw)\n   :format: html\n\n:own:`x`\n":       "raw (and derived) roles disabled",
	".. role:: own(nothing)\n":                                 "Unknown interpreted text role \"nothing\"",
	".. role:: own\n   :colour: red\n":                         "unknown option: \"colour\"",
	".. role::\n":                                              "requires arguments on the first line",
	".. role:: a b\n":                                          "arguments not valid role names",
	".. default-role:: code\n\n`x`\n":                          "",
	".. default-role:: any\n":                                  "Unknown interpreted text role \"any\"",
	"*a\n\n*b\n":                                               "Inline emphasis start-string",
}

var references = map[string]string{
	"a_ and `b c`_ and a__\n\n.. _a: https://example.org\n.. _B C: a_\n\n__ https://example.org\n": "",
	"a_\n":     "Unknown target name: \"a\"",
	"`a b`_\n": "Unknown target name: \"a b\"",
	"snake_case_name and __init__ and a_.b\n":     "Unknown target name: \"a\"",
	"snake_case_name and __init__ and _private\n": "",
	"trailing_ \n": "Unknown target name: \"trailing\"",
	"`a <https://example.org>`_ `b <a_>`_ `c <https://example.org>`__\n": "",
	"`a <b_>`_\n":                       "Indirect hyperlink target refers to target \"b\", which does not exist",
	"`a <https://example.org/x_>`_\n":   "",
	"`a<https://example.org>`_\n":       "Unknown target name",
	"`a <https://example.org>` _\n":     "",
	"`a <x>`_ and `a <y>`_\n":           "",
	"`a <x>`_, `a <y>`_ and a_\n":       "Duplicate target name",
	"a__\n":                             "Anonymous hyperlink mismatch: 1 references but 0 targets",
	"Text.\n\n__ https://example.org\n": "Anonymous hyperlink mismatch: 0 references but 1 targets",
	".. _a: x\n.. _a: x\n\na_\n":        "",
	".. _a: x\n.. _a: y\n\nText.\n":     "Duplicate explicit target name: \"a\"",
	".. _a: b_\n\na_\n":                 "Indirect hyperlink target refers to target \"b\", which does not exist",
	".. _a: b_\n.. _b: a_\n\na_\n":      "forming a circular reference",
	".. _a:\n\na_ is here.\n":           "",
	"_`a` is here: a_\n":                "",
	"_`a` and _`A`\n":                   "Duplicate explicit target name",
	"[1]_ [#]_ [#n]_ [*]_ [CIT]_\n\n.. [1] a\n.. [#] b\n.. [#n] c\n.. [*] d\n.. [CIT] e\n": "",
	"[1]_\n":                           "Unknown target name: \"1\"",
	"[#]_ [1]_\n\n.. [#] a\n":          "",
	"[#]_ [#]_\n\n.. [#] a\n":          "Too many autonumbered footnote references",
	"[#a]_\n":                          "Too many autonumbered footnote references",
	"[*]_\n":                           "Too many symbol footnote references",
	"[CIT]_\n":                         "Unknown target name: \"cit\"",
	".. [1] a\n.. [1] b\n":             "Duplicate explicit target name: \"1\"",
	"[1]_\n\n.. [1]\n":                 "Footnote content expected",
	"[A]_\n\n.. [A]\n\nText.\n":        "Citation content expected",
	"|a|\n":                            "Undefined substitution referenced: \"a\"",
	"|A b|\n\n.. |a  B| replace:: c\n": "",
	"|a|_\n\n.. |a| replace:: b\n":     "Unknown target name: \"a\"",
	".. |a| replace:: b\n.. |a| replace:: c\n\n|a|\n":      "Duplicate substitution definition name",
	".. |a| replace:: |a|\n\n|a|\n":                        "? The substitution \"a\" has itself in it",
	".. |a| replace:: |b|\n.. |b| replace:: `c`_\n\n|a|\n": "Unknown target name: \"c\"",
}

var explicits = map[string]string{
	".. A comment\n   of lines\n\nText.\n":         "",
	".. A comment\nText.\n":                        "Explicit markup ends without a blank line",
	"..\n\n  A quote behind an empty comment.\n":   "",
	"..\n  A comment: *x\n\nText.\n":               "",
	"Text\n.. that goes on\n":                      "",
	".. _a\n\nText.\n":                             "malformed hyperlink target",
	".. _`a: b`: https://example.org\n\n`a: b`_\n": "",
	".. _a\\: b: https://example.org\n\n`a: b`_\n": "",
	".. _a: https://example.org/\n   more\n\na_\n": "",
	".. _a:https://example.org\n\nText.\n":         "malformed hyperlink target",
	".. |a\n\nText.\n":                             "malformed substitution definition",
	".. |a|\n\nText.\n":                            "missing contents",
	".. |a| what\n\nText.\n":                       "empty or invalid",
	".. |a| note:: b\n\nText.\n":                   "empty or invalid",
	".. |a| image:: a.png\n   :alt: b\n.. |b| unicode:: U+2014 .. dash\n.. |c| date::\n\n|a| |b| |c|\n": "",
	".. |a| image:: a.png\n   :target: b_\n\n|a|\n":                                                     "Unknown target name: \"b\"",
	".. |a| image:: a.png\n   :align: left\n\n|a|\n":                                                    "is not a valid value for the \"align\" option",
	".. |a| replace:: b\n\n   c\n\n|a|\n":                                                               "may contain a single paragraph only",
	".. |a| replace:: b__\n\n|a|\n":                                                                     "Anonymous references are not supported",
	".. |a| replace:: [1]_\n\n.. [1] b\n":                                                               "Targets (names and identifiers) are not supported",
	".. |a| replace:: `b <c>`_\n\n|a|\n":                                                                "Targets (names and identifiers) are not supported",
	".. |a| replace:: `b <c>`__\n\n|a|\n":                                                               "",
	".. |a| replace::\n\nText.\n":                                                                       "Content block expected",
	".. |a| unicode:: 0x110000\n\nText.\n":                                                              "Invalid character code",
	".. [#a] b\n\nText\n":                                                                               "",
}

var directives = map[string]string{
	".. note:: a\n.. warning::\n\n   b\n\n.. tip::\n   c\n": "",
	".. note::\n\nText.\n": "Content block expected for the \"note\" directive",
	".. note::\n   *a\n":   "Inline emphasis start-string",
	".. note::\n   :class: a\n   :name: b\n\n   c\n\nb_\n": "",
	".. note::\n   :colour: red\n\n   a\n":                 "unknown option: \"colour\"",
	".. note::\n   :class: a\n   :class: b\n\n   c\n":      "invalid option data",
	".. note::\n   :class: a\n   b\n   c\n\n   d\n":        "invalid option block",
	".. note::\n   :class: 1\n\n   a\n":                    "invalid option value",
	".. note::\n   :class: ö\n\n   a\n":                    "? Error in \"note\" directive",
	".. note::\n\n   Title\n   -----\n":                    "Unexpected section title",
	".. Note :: a\n":                                       "",
	".. note: a\n\nText.\n":                                "",
	".. note::a\n\nText.\n":                                "",
	"Text:\n\n.. toctree::\n   :maxdepth: 1\n\n   a\n":     "Unknown directive type \"toctree\"",
	".. automodule:: a\n":                                  "Unknown directive type",
	".. versionadded:: 1.0\n":                              "Unknown directive type",
	".. py:function:: f(x)\n":                              "Unknown directive type \"py:function\"",
	".. raw:: html\n\n   <b>\n":                            "\"raw\" directive disabled",
	".. include:: README.rst\n":                            "\"include\" directive disabled",
	".. code-block:: python\n\n   x = '*'\n\n.. code:: klingon\n\n   x\n\n.. sourcecode::\n\n   y\n": "",
	".. code-block:: python\n   x = 1\n":                    "maximum 1 argument(s) allowed",
	".. code-block:: python\n\nText.\n":                     "Content block expected",
	".. code-block:: python\n   :linenos:\n\n   x\n":        "unknown option: \"linenos\"",
	".. code-block:: python\n   :number-lines: 3\n\n   x\n": "",
	".. code-block:: python\n   :number-lines: x\n\n   x\n": "invalid option value",
	".. math::\n\n   a_b \\\\\n\n   c\n":                    "",
	".. image:: a.png\n   :alt: b *c\n   :width: 50%\n   :height: 3 em\n   :scale: 50 %\n   :align: center\n   :target: https://example.org\n": "",
	".. image::\n":                                                                         "1 argument(s) required, 0 supplied",
	".. image:: a.png\n   :width: wide\n":                                                  "invalid option value",
	".. image:: a.png\n   :height: 50%\n":                                                  "invalid option value",
	".. image:: a.png\n   :align: middle\n":                                                "is not a valid value for the \"align\" option",
	".. image:: a.png\n   :align: justify\n":                                               "invalid option value",
	".. image:: a.png\n\n   A caption\n":                                                   "no content permitted",
	".. image:: a.png\n   :target: b_\n":                                                   "Unknown target name: \"b\"",
	".. image:: a.png\nText.\n":                                                            "Explicit markup ends without a blank line",
	".. figure:: a.png\n   :figwidth: image\n\n   A caption\n\n   - A legend\n":            "",
	".. figure:: a.png\n\n   - No caption\n":                                               "Figure caption must be a paragraph or empty comment",
	".. figure:: a.png\n\n   ..\n\n   - A legend\n":                                        "",
	".. contents:: Here\n   :depth: 2\n   :local:\n   :backlinks: none\n\nTitle\n=====\n":  "",
	".. contents::\n   :depth: deep\n\nTitle\n=====\n":                                     "invalid option value",
	".. note::\n\n   .. contents::\n":                                                      "may not be used within topics or body elements",
	".. contents::\n":                                                                      "No content rendered",
	"Contents_\n\n.. contents::\n\nTitle\n=====\n":                                         "",
	".. sectnum::\n   :depth: 1\n\nTitle\n=====\n":                                         "",
	".. topic:: Title\n\n   a\n\n.. sidebar:: Title\n   :subtitle: b\n\n   c\n":            "",
	".. topic::\n\n   a\n":                                                                 "1 argument(s) required",
	".. sidebar::\n   :subtitle: b\n\n   c\n":                                              "may not be used without a title",
	"- .. topic:: Title\n\n     a\n":                                                       "may not be used within topics or body elements",
	".. admonition:: Title\n\n   a\n\n.. compound::\n\n   b\n\n.. container:: c\n\n   d\n": "",
	".. container:: 1\n\n   d\n":                                                           "Invalid class attribute value",
	".. rubric:: *Title\n":                                                                 "Inline emphasis start-string",
	".. epigraph::\n\n   A quote\n\n   -- Ann\n":                                           "",
	".. parsed-literal::\n\n   a *b\n":                                                     "Inline emphasis start-string",
	".. line-block::\n\n   a *b*\n     c\n":                                                "",
	".. class:: a\n\nText.\n":                                                              "",
	".. class:: language-de\n\n\"Text\".\n":                                                "? Invalid class attribute value",
	"Text.\n\n.. class:: a\n":                                                              "No suitable element following",
	"- .. class:: a\n\n- b\n":                                                              "",
	".. replace:: a\n":                                                                     "Invalid context",
	".. date::\n":                                                                          "Invalid context",
	".. meta::\n   :keywords: a\n\nText.\n":                                                "",
	".. meta::\n   a\n\nText.\n":                                                           "Invalid meta directive",
	".. header:: *a\n\nText.\n":                                                            "Inline emphasis start-string",
	".. header:: a\n.. footer:: b\n.. title:: c\n\nText.\n":                                "",
	".. target-notes::\n\na_\n\n.. _a: https://example.org\n":                              "",
}

var tables = map[string]string{
	"+---+---+\n| a | b |\n+---+   |\n| c   d |\n+---+---+\n":                        "parse incomplete",
	"+---+---+\n| a | b |\n+===+===+\n| c | d |\n+---+---+\n":                        "",
	"+---+---+\n| a     |\n+---+---+\n| c | *d|\n+   +---+\n|   | e |\n+---+---+\n":  "Inline emphasis start-string",
	"+---+---+\n| a | b |\n+---+\n":                                                  "Malformed table",
	"+---+---+\n| a | b |\n":                                                         "Malformed table. Bottom border missing",
	"+---+---+\n| a | b\n+---+---+\n":                                                "Right border not aligned or missing",
	"+---+---+\n| a | b |\n+---+---+\nText.\n":                                       "Blank line required after table",
	"+---+---+\n| a | b |\n+-------+\n| c | d |\n+---+---+\n":                        "",
	"+===+\n| a |\n+---+\n":                                                          "",
	"+---+\n| a |\n+===+\n":                                                          "Malformed table",
	"+----+\n| 日 |\n+----+\n":                                                        "",
	"+---+\n| 日 |\n+---+\n":                                                          "Right border not aligned or missing",
	"+------+\n| e\u0301 b  |\n+------+\n":                                           "",
	"=== ===\n a   b\n=== ===\n c   d\n     e\n=== ===\n":                            "",
	"=== ===\na   b\n--- ---\nc   d\n=== ===\n":                                      "",
	"=== ===\na b c\n=== ===\n":                                                      "",
	"=== ===\nabcd e\n=== ===\n":                                                     "Text in column margin",
	"=== ===\na   *b\n=== ===\n":                                                     "Inline emphasis start-string",
	"=== ===\na   b that goes on and on\n=== ===\n":                                  "",
	"=== ===\na   b\n=== ====\n":                                                     "does not match top border",
	"=== ===\na   b\n":                                                               "No bottom table border found",
	"=== ===\na   b\n=== ===\nText.\n":                                               "No bottom table border found",
	"=== === ===\na   b   c\n------- ---\nd       e\n=== === ===\n":                  "",
	"=== === ===\na   b   c\n------ ----\n=== === ===\n":                             "Column span alignment problem",
	"=== ===\na   b\n---\n=== ===\n":                                                 "Column span incomplete",
	"=== ===\na   b\n=== ===\nc   d\n=== ===\nText.\n":                               "Blank line required after table",
	".. table:: A *title*\n   :widths: 10, 20\n\n   === ===\n   a   b\n   === ===\n": "",
	".. table::\n   :widths: 10\n\n   === ===\n   a   b\n   === ===\n":               "widths do not match",
	".. table::\n\n   a\n":                                                           "exactly one table expected",
	".. list-table:: T\n   :header-rows: 1\n   :widths: auto\n\n   * - a\n     - b\n   * - c\n     - d\n": "",
	".. list-table::\n\n   * - a\n     - b\n   * - c\n":                                                   "uniform two-level bullet list expected",
	".. list-table::\n\n   * a\n":                                                                         "two-level bullet list expected",
	".. list-table::\n\n   a\n":                                                                           "exactly one bullet list expected",
	".. list-table::\n   :header-rows: 2\n\n   * - a\n":                                                   "header row(s) specified",
	".. list-table::\n   :stub-columns: 1\n\n   * - a\n":                                                  "stub column(s) specified",
	".. list-table::\n   :widths: 0\n\n   * - a\n":                                                        "invalid option value",
	".. csv-table:: T\n   :header: \"a\", b\n   :widths: 1 2\n\n   \"c, d\", \"e\"\"f\"\n   g\n":          "",
	".. csv-table::\n\n   \"a\n":                                                                          "unexpected end of data",
	".. csv-table::\n\n   \"a\" b\n":                                                                      "expected after",
	".. csv-table::\n\n   a, *b\n":                                                                        "Inline emphasis start-string",
	".. csv-table::\n   :file: a.csv\n":                                                                   "File and URL access deactivated",
	".. csv-table::\n   :delim: ;\n\n   a;b\n":                                                            "? The table has a dialect of its own",
}

func TestFaults(t *testing.T) {
	for text, want := range texts() {
		sure, got := true, ""
		if faults := rst.Check(text); len(faults) > 0 {
			sure, got = faults[0].Sure, faults[0].What
		}
		want, undecided := strings.CutPrefix(want, "? ")
		if !strings.Contains(got, want) || (want == "") != (got == "") || sure == undecided {
			t.Errorf("%.200q: want %q, got %q (sure: %t)", text, want, got, sure)
		}
	}
}

// What is not decided once makes nothing else certain: PyPI takes each of these.
func TestWhatIsNotDecidedRefusesNothing(t *testing.T) {
	for _, text := range []string{"`a <a_b@c.d_>`_\n", "x `mail <me@example.org_>`__\n",
		".. csv-table::\n   :delim: ;\n\n   `docs <http://x>`_; b\n\nSee docs_.\n"} {
		faults := rst.Check(text)
		if len(faults) == 0 || slices.ContainsFunc(faults, func(f rst.Fault) bool { return f.Sure }) {
			t.Errorf("%q: got %v", text, faults)
		}
	}
}

func TestFaultsSayWhere(t *testing.T) {
	text := "Title\n=====\n\n- a\n- b\n\n  .. toctree::\n\n.. note::\n\n   | *x\n\nSee ref_.\n\n`y\n"
	var got []string
	for _, f := range rst.Check(text) {
		got = append(got, f.String())
	}
	want := "line 7: Unknown directive type \"toctree\".\n" +
		"line 11: Inline emphasis start-string without end-string.\n" +
		"line 15: Inline interpreted text or phrase reference start-string without end-string.\n" +
		"line 13: Unknown target name: \"ref\"."
	if strings.Join(got, "\n") != want {
		t.Errorf("want %s\ngot %s", want, strings.Join(got, "\n"))
	}
}

func TestWhatIsNoTextIsNotDecided(t *testing.T) {
	for _, text := range []string{"a\x00b", "a\xff", strings.Repeat("a\n\n", 400_000)} {
		if faults := rst.Check(text); len(faults) != 1 || faults[0].Sure {
			t.Errorf("%.20q: got %v", text, faults)
		}
	}
}

// What takes long is not decided, or short.
func TestWorkIsBounded(t *testing.T) {
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	for name, text := range map[string]string{
		"names":      many(many("a-", 4900)+"a\n", 100),
		"references": many(many("a_-", 3000)+"\n", 100),
		"stars":      many(many("*a* ", 2000)+"\n", 100),
		"grid":       many("+"+many("-+", 2000)+"\n"+many("|"+many(" |", 2000)+"\n", 20), 10) + "+" + many("-+", 2000) + "\n",
		"targets":    many(".. _a", 1) + many("\n   b", 20_000),
		"quotes":     many("  ", 1) + many("`", 9000) + "\n",
	} {
		if faults := rst.Check(text); len(faults) > 5 {
			t.Errorf("%s: got %d faults", name, len(faults))
		}
	}
}

func FuzzCheck(f *testing.F) {
	for text := range texts() {
		if len(text) < 1000 {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		for _, s := range []string{"\x1c", "\x1d", "\x1e", "\u0085", "\u2028", "\u2029"} {
			lines += strings.Count(text, s)
		}
		faults := rst.Check(text)
		for _, fault := range faults {
			if fault.Line < 0 || fault.Line > lines || fault.What == "" {
				t.Errorf("%q: %+v", text, fault)
			}
		}
		if len(faults) > 5 {
			t.Errorf("%q: %d faults", text, len(faults))
		}
	})
}
