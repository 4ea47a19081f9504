"""Names follow the function's id: one search finds all of it."""

from tests.conventions.house import ROOT, TEMPLATE, house


def test_resources_are_named_after_their_function() -> None:
    for function in house().functions:
        assert function.resource.logical_id == f"{function.prefix}Function"
        if function.inbox:
            name = f"nightshift_{function.id}"
            dead = house().queue(function.inbox.properties["RedrivePolicy"]["deadLetterTargetArn"])
            assert function.inbox.logical_id == f"{function.prefix}Inbox"
            assert function.inbox.identity.attributes["QueueName"] == name
            assert dead
            assert dead.logical_id == f"{function.prefix}DeadLetters"
            assert dead.identity.attributes["QueueName"] == f"{name}-dead"
        if function.machine:
            assert function.machine.logical_id == f"{function.prefix}StateMachine"


def test_every_resource_with_a_name_belongs_to_its_stack() -> None:
    # another stack's prefix cannot match: a stack name holds no `_`
    for function in house().functions:
        assert function.resource.identity.ref == f"nightshift_{function.id}"


def test_modules_are_named_for_what_they_do_in_their_domains_folder() -> None:
    for function in house().functions:
        package, domain, name = function.module_name.split(".")

        assert package == "functions"
        assert (ROOT / package / domain / "__init__.py").is_file()
        assert f"-{function.id}".endswith(f"-{name.replace('_', '-')}"), function.id


def test_functions_carry_their_id() -> None:
    wrong = [each.id for each in house().functions if each.definition and each.definition.id != each.id]

    assert wrong == []


def test_every_handler_is_deployed() -> None:
    deployed = {function.source for function in house().functions}
    modules = {path: path.read_text(encoding="utf-8") for path in (ROOT / "functions").rglob("*.py")}
    written = {path for path, text in modules.items() if "\nhandler = " in text or "\ndef handler(" in text}

    assert written == deployed


def test_every_function_has_a_test_in_the_same_place() -> None:
    missing = [
        function.id
        for function in house().functions
        if not (ROOT / "tests" / function.source.relative_to(ROOT)).with_name(f"test_{function.source.name}").is_file()
    ]

    assert missing == []


def test_a_state_machine_lies_beside_its_function() -> None:
    files = dict(house().machine_files())

    for function in house().functions:
        if function.machine:
            assert files[function.machine.logical_id] == function.source.with_suffix(".asl.yaml")
    assert set(files.values()) == set((ROOT / "functions").rglob("*.asl.yaml"))


def test_functions_are_built_by_the_makefile() -> None:
    built = {
        logical_id: resource.get("Metadata", {}).get("BuildMethod")
        for logical_id, resource in house().document["Resources"].items()
        if resource["Type"] in ("AWS::Serverless::Function", "AWS::Serverless::LayerVersion")
    }

    assert set(built.values()) == {"makefile"}, TEMPLATE
