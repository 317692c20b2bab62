"""The demo's own promises."""


def test_the_examples_do_what_was_said(demo):
    played = demo.run("demo", "--check", "--port", str(demo.port))
    assert played.returncode == 0, played.stdout + played.stderr


def test_the_examples_can_be_played_again(demo):
    played = demo.run("demo", "--check", "--port", str(demo.port))
    assert played.returncode == 0, played.stdout + played.stderr


def test_a_check_without_a_demo_says_so(demo):
    played = demo.run("demo", "--check", "--port", "1")
    assert played.returncode != 0
    assert "no demo runs on port 1" in played.stderr
