"""Tests of what is counted and what is not. Run: python3 -m unittest discover -s script/words"""

import unittest

import count
import rules
import table


def kinds(source, language="rust"):
    return [(place.line, place.kind) for place in rules.judge(source, language)]


class Words(unittest.TestCase):
    def assert_word(self, text, language="text"):
        self.assertEqual(kinds(text, language), [(1, "words")], text)

    def assert_fine(self, text, language="text"):
        self.assertEqual(kinds(text, language), [], text)

    def test_each_banned_word_is_counted(self):
        for text in ("Nothing to mend here.", "All noes wait.", "A no comes later and later.", "A look costs two files.",
                     "The key holds until it is revoked.", "The results stand in bench/results: it stands there.",
                     "The certificate ends soon.", "It ends with 0 if all is well.", "The order is what counts.",
                     "Certificates got by ACME.", "A user of its own.", "The same again ends in an error.",
                     "Nothing is lost but a cookie.", "error: no\n  try: again".split("\n")[1]):
            self.assert_word(text)

    def test_ordinary_uses_pass(self):
        for text in ("This may recommend or amend.", "Look it up: the look-up is fast.", "It looks safe.",
                     "The process that holds the lock.", "Both ends of the pipe.", "The session ends with error 4031.",
                     "Chains that end in a root.", "Stand-ins understand standards.", "PEM stands for a format.",
                     "It counts the rows.", "Its own user.", "No longer a no-op.", "what to do: see below"):
            self.assert_fine(text)

    def test_a_phrase_may_go_over_lines(self):
        self.assertEqual(kinds("a user of its\nown", "text"), [(1, "words")])
        self.assertEqual(kinds("// a user of its\n// own\nlet x = 1;"), [(1, "words")])
        self.assertEqual(kinds("# a user of its\n# own\n", "script"), [(1, "words")])
        self.assertEqual(kinds('let x = "a user of its \\\n    own";'), [(1, "words")])

    def test_rust_code_between_two_comments_joins_nothing(self):
        self.assertEqual(kinds("// of its\nfn x() {}\n// own"), [])

    def test_rust_strings_and_comments_are_read_and_code_is_not(self):
        self.assertEqual(kinds("// mend it\n"), [(1, "words")])
        self.assertEqual(kinds('let x = "a\\nmend: b";'), [(1, "words")])
        self.assertEqual(kinds('let x = r#"mend"#;'), [(1, "words")])
        self.assertEqual(kinds("let stands = the.look(counts);"), [])

    def test_two_words_are_counted_in_names_too(self):
        for name in ("mend", "no_mend", "mends", "NoMend", "late_noes"):
            self.assertEqual(kinds(f"fn {name}() {{}}"), [(1, "words")], name)
        self.assertEqual(kinds("fn recommend_amended() {}"), [])

    def test_statements_of_scripts_are_no_labels(self):
        self.assert_fine('  try: x = f("a")', "script")


class Openings(unittest.TestCase):
    def test_each_opening_is_counted_where_the_comment_begins(self):
        for opening in ("What", "Who", "One", "Those", "Of", "That", "The same", "It's"):
            self.assertEqual(kinds(f"//! {opening} came.\n"), [(1, "openings")], opening)
            self.assertEqual(kinds(f"    /// {opening} came.\n    /// That is all.\n"), [(1, "openings")], opening)

    def test_other_comments_pass(self):
        for text in ("/// Returns what came.\n/// What else.\n", "// What came.\n", "/// Whatever.\n", "/// One-time link.\n",
                     "/// Offset.\n", "//// What\n"):
            self.assertEqual(kinds(text), [], text)


class Width(unittest.TestCase):
    def test_a_long_line_is_counted(self):
        self.assertEqual(kinds("let x = " + "a + " * 30 + "1;"), [(1, "width")])
        self.assertEqual(kinds("// " + "word " * 30), [(1, "width")])
        self.assertEqual(kinds("x" * 100), [])

    def test_a_string_with_spaces_can_be_broken(self):
        self.assertEqual(kinds('let x = "' + "word " * 30 + '";'), [(1, "width")])

    def test_raw_strings_and_text_without_a_space_can_not(self):
        self.assertEqual(kinds('let x = r"' + "word " * 30 + '";'), [])
        self.assertEqual(kinds('let x = "' + "a" * 120 + '";'), [])
        self.assertEqual(kinds("// https://example.com/" + "a" * 120), [])

    def test_columns_are_characters(self):
        self.assertEqual(kinds("// " + "ä" * 97), [])


class Closures(unittest.TestCase):
    def test_a_closure_that_is_called_as_a_function_is_counted(self):
        self.assertEqual(kinds("fn f() { let a = |x| x + 1; a(1) + a(2); }"), [(1, "closures")])
        self.assertEqual(kinds("fn f() {\n let mut a = move || {\n 1 };\n a(); }"), [(2, "closures")])
        self.assertEqual(kinds("fn f() { let a: Fn = async move |x: u8| { x }; a(1); a(2); }"), [(1, "closures")])

    def test_a_closure_that_is_handed_on_passes(self):
        self.assertEqual(kinds("fn f() { let a = |x| {\n x + 1 }; list.map(a).filter(&a); }"), [])
        self.assertEqual(kinds("fn f() { let a = |x| x; a(1); }"), [])

    def test_calls_of_other_things_with_its_name_are_not_its_calls(self):
        self.assertEqual(kinds("fn f() { let a = |x| x; b.a(1); c::a(2); } fn a(x: u8) {} fn g() { a(1); a(2) }"), [])


class Tuples(unittest.TestCase):
    def test_two_values_in_one_let_are_counted(self):
        self.assertEqual(kinds("let (a, mut b) = (x.clone(), y);"), [(1, "tuples")])
        self.assertEqual(kinds("let (a, b): (T, _) = (\n x, y);"), [(1, "tuples")])

    def test_a_value_that_is_a_tuple_and_a_match_of_both_pass(self):
        for text in ("let (a, b) = pair();", "let (a, b) = (x, y).into();", "if let (Some(a), Some(b)) = (x, y) {}",
                     "let (Some(a), Some(b)) = (x, y) else { return };"):
            self.assertEqual(kinds(text), [], text)


class Ceilings(unittest.TestCase):
    def row(self, **counts):
        return {**dict.fromkeys(rules.KINDS, 0), **counts}

    def setUp(self):
        self.before = table.CEILINGS
        table.CEILINGS = {"docs": (2, 0, 0, 0, 0)}

    def tearDown(self):
        table.CEILINGS = self.before

    def test_a_count_at_its_ceiling_passes_and_one_above_it_fails(self):
        self.assertEqual(count.over({"docs": self.row(words=2)}), ([], False))
        self.assertEqual(len(count.over({"docs": self.row(words=3)})[0]), 1)
        self.assertEqual(count.over({"docs": self.row(words=1)}), ([], True))

    def test_a_folder_without_a_row_may_have_nothing(self):
        self.assertEqual(len(count.over({"crates/new": self.row(tuples=1), "docs": self.row(words=2)})[0]), 1)

    def test_folders_are_the_rooms_and_the_first_level(self):
        self.assertEqual([count.folder(p) for p in ("a.md", "docs/decisions/1.md", "crates/tls/src/x/y.rs")],
                         [".", "docs", "crates/tls"])


if __name__ == "__main__":
    unittest.main()
