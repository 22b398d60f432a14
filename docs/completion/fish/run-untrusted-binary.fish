# Completion of run-untrusted-binary for fish. Copy this file to ~/.config/fish/completions/.

# True while the words before the cursor are options and their values, so that the program's own words get none of ours.
function __run_untrusted_binary_options
    set -l valued -p --policy --audit --audit-level --outcome --timeout --cpu --memory --processes --output --read --write --exec --file-size --open-files --audit-size --waive --cwd --env --user --vfork
    set -l skip no
    for word in (commandline -opc)[2..-1]
        if test $skip = yes
            set skip no
        else if contains -- $word $valued
            set skip yes
        else if test $word = --; or not string match -q -- '-*' $word
            return 1
        end
    end
    return 0
end

complete -c run-untrusted-binary -x -a '(__fish_complete_subcommand -- -p --policy --audit --audit-level --outcome --timeout --cpu --memory --processes --output --read --write --exec --file-size --open-files --audit-size --waive --cwd --env --user --vfork)'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -s p -l policy -r -F -a 'compute default observe ostoo workspace' -d 'A shipped policy or a file'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l audit -r -F -d 'Write the audit log'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l audit-level -x -a 'decisions all' -d 'What is recorded'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l outcome -r -F -d 'Write how the run ended as JSON'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l timeout -x -d 'Wall-clock limit: seconds, or 2m, 1h'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l cpu -x -d 'CPU time of the whole run'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l memory -x -d 'Memory of the whole run: bytes, or 64KiB, 512MiB'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l processes -x -d 'Processes and threads alive at once'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l output -x -d 'Bytes on standard output and error'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l read -r -F -d 'Let the guest read this too'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l write -r -F -d 'Let the guest write this too'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l exec -r -F -d 'Let the guest execute this too'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l file-size -x -d 'Largest file the guest may write'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l open-files -x -d 'Descriptors of a guest process'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l audit-size -x -d 'How large the audit log may grow'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l waive -x -a 'wall= cpu= memory= processes= output= file-size= open-files= audit-size= landlock= root=' -d 'Accept less, and say why'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l cwd -x -a '(__fish_complete_directories)' -d 'Working directory'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l env -x -a '(set -xn)' -d 'Add to the environment'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l user -x -a '(__fish_complete_users)' -d 'Who the guest becomes when root starts it'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l vfork -x -a 'emulate kernel' -d 'Who blocks the parent of a spawn'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l dry-run -d 'Say what would be enforced, and run nothing'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -s v -l verbose -d 'Say how the run ended'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -s q -l quiet -d 'No hints'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -s h -l help -d 'Show help'
complete -c run-untrusted-binary -n __run_untrusted_binary_options -l version -d 'Show the version'
