# What a change must pass, here and anywhere.
.PHONY: check
check:
	.ci/run
