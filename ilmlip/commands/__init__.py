"""What each command of `ilmlip` does: answers on stdout, messages on stderr, an exit status back."""

OK, FAILED, WRONG = 0, 1, 2
