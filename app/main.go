// Command kibitz is the whole of Kibitz: server, tools and demo in one binary.
package main

import (
	"os"

	"kibitz/app/cli"
)

func main() { os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr)) }
