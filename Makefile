# Each target installs what it needs from the system and says so first; `make test` also fetches the storage emulator from npm.
.PHONY: help demo test lint bench fuzz clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo    build, then take a sample drive from image to verified blobs in ./demo'
	@echo 'make test    all tests, with the storage emulator on loopback'
	@echo 'make lint    format, clippy and documentation, warnings denied'
	@echo 'make bench   measure against dislocker + ntfs-3g (see scripts/bench.sh)'
	@echo 'make fuzz TARGET=manifest SECONDS=60   coverage-guided fuzzing (needs cargo-fuzz)'
	@echo 'make clean   remove what the others made'

demo:
	@sh scripts/install.sh demo
	cargo build
	@sh scripts/demo.sh

test:
	@sh scripts/install.sh test
	cargo test

lint:
	@sh scripts/install.sh build
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --document-private-items

bench:
	@sh scripts/install.sh build
	cargo bench --bench manifest --bench decrypt --bench md5 --bench ledger
	cargo build --release
	@bash scripts/bench.sh

fuzz:
	@sh scripts/fuzz.sh $(TARGET) $(SECONDS)

clean:
	cargo clean
	rm -rf demo node_modules fuzz/target fuzz/corpus fuzz/artifacts tests/cache
