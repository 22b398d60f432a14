# Completion of sandboxctl for fish. Copy this file to ~/.config/fish/completions/.

# True where the words before the cursor begin with these.
function __sandboxctl_after
    set -l words (commandline -opc)[2..-1]
    test (count $words) -ge (count $argv); or return 1
    for at in (seq (count $argv))
        test $words[$at] = $argv[$at]; or return 1
    end
end

# True where they are exactly these.
function __sandboxctl_at
    test (count (commandline -opc)) -eq (math (count $argv) + 1); and __sandboxctl_after $argv
end

set -l policies 'compute default observe ostoo workspace'

complete -c sandboxctl -f
complete -c sandboxctl -s h -l help -d 'Show help'
complete -c sandboxctl -n '__sandboxctl_at' -l version -d 'Show the version'
complete -c sandboxctl -n '__sandboxctl_at' -a attack -d 'Attack the sandbox on this kernel'
complete -c sandboxctl -n '__sandboxctl_at' -a audit -d 'Read and check audit logs'
complete -c sandboxctl -n '__sandboxctl_at' -a conform -d 'Try every promise of a policy'
complete -c sandboxctl -n '__sandboxctl_at' -a doctor -d 'What can be enforced here'
complete -c sandboxctl -n '__sandboxctl_at' -a policy -d 'Read, check, explain and exchange policies'

complete -c sandboxctl -n '__sandboxctl_after attack' -s p -l policy -x -a "$policies (__fish_complete_suffix .toml)" -d 'Under this policy'
complete -c sandboxctl -n '__sandboxctl_after attack' -l class -x -d 'Only programs that try this class'
complete -c sandboxctl -n '__sandboxctl_after attack' -l native -d 'First show that each attack is real'
complete -c sandboxctl -n '__sandboxctl_after attack' -s v -l verbose -d 'Name each way that is not real here'
complete -c sandboxctl -n '__sandboxctl_after attack' -l format -x -a 'text json' -d 'Form of the result'

complete -c sandboxctl -n '__sandboxctl_after conform' -F -a $policies
complete -c sandboxctl -n '__sandboxctl_after conform' -l vfork -x -a 'emulate kernel' -d 'Who blocks the parent of a spawn'
complete -c sandboxctl -n '__sandboxctl_after conform' -l format -x -a 'text json junit markdown' -d 'Form of the result'

complete -c sandboxctl -n '__sandboxctl_after doctor' -l format -x -a 'text json' -d 'Form of the result'

complete -c sandboxctl -n '__sandboxctl_at audit' -a show -d 'As readable text'
complete -c sandboxctl -n '__sandboxctl_at audit' -a summary -d 'Sums'
complete -c sandboxctl -n '__sandboxctl_at audit' -a verify -d 'Was it changed?'
for command in show summary verify
    complete -c sandboxctl -n "__sandboxctl_after audit $command" -F
end
complete -c sandboxctl -n '__sandboxctl_after audit show' -l json -d 'The records themselves'
complete -c sandboxctl -n '__sandboxctl_after audit show' -l event -x -a 'start call child vfork-block vfork-release exec signal exit limit end' -d 'Only this event'
complete -c sandboxctl -n '__sandboxctl_after audit show' -l pid -x -d 'Only this process'
complete -c sandboxctl -n '__sandboxctl_after audit verify' -l complete -d 'Also fail where there is no end record'

complete -c sandboxctl -n '__sandboxctl_at policy' -a list -d 'The shipped ones'
complete -c sandboxctl -n '__sandboxctl_at policy' -a show -d 'As a whole'
complete -c sandboxctl -n '__sandboxctl_at policy' -a check -d 'What is wrong'
complete -c sandboxctl -n '__sandboxctl_at policy' -a explain -d 'What a call gets'
complete -c sandboxctl -n '__sandboxctl_at policy' -a diff -d 'What differs'
complete -c sandboxctl -n '__sandboxctl_at policy' -a bpf -d 'Its filter'
complete -c sandboxctl -n '__sandboxctl_at policy' -a schema -d 'For editors'
complete -c sandboxctl -n '__sandboxctl_at policy' -a import-oci -d 'From a seccomp profile'
complete -c sandboxctl -n '__sandboxctl_at policy' -a export-oci -d 'To a seccomp profile'
for command in show check explain diff bpf export-oci
    complete -c sandboxctl -n "__sandboxctl_after policy $command" -F -a $policies
end
complete -c sandboxctl -n '__sandboxctl_after policy import-oci' -F
complete -c sandboxctl -n '__sandboxctl_after policy list' -l format -x -a 'text json' -d 'Form of the result'
complete -c sandboxctl -n '__sandboxctl_after policy show' -l groups -d 'The groups and their calls'
complete -c sandboxctl -n '__sandboxctl_after policy check' -l format -x -a 'text json github' -d 'Form of the result'
complete -c sandboxctl -n '__sandboxctl_after policy check' -l weakenings -d 'What needs a waiver'
complete -c sandboxctl -n '__sandboxctl_after policy explain' -l format -x -a 'text json' -d 'Form of the result'
complete -c sandboxctl -n '__sandboxctl_after policy diff' -l format -x -a 'text json' -d 'Form of the result'
complete -c sandboxctl -n '__sandboxctl_after policy bpf' -l raw -d 'The bytes of the filter'
complete -c sandboxctl -n '__sandboxctl_after policy import-oci' -s o -l output -r -F -d 'Write the policy here'
complete -c sandboxctl -n '__sandboxctl_after policy import-oci' -l cap -x -d 'A capability the guest has'
complete -c sandboxctl -n '__sandboxctl_after policy import-oci' -l kernel -x -d 'The kernel of the guest'
complete -c sandboxctl -n '__sandboxctl_after policy import-oci' -l name -x -d 'The name of the policy'
complete -c sandboxctl -n '__sandboxctl_after policy export-oci' -s o -l output -r -F -d 'Write the profile here'
